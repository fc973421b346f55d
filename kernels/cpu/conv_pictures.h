/* Pictures of different sizes that the same weights convolve, and their strips, handed to threads one by one. */
#ifndef PYDEEPLAB_CONV_PICTURES_H
#define PYDEEPLAB_CONV_PICTURES_H

#include "conv_window.h"

/* A batch of images of one size. x: [batch, channels, pixels], y and `other`: [batch, outputs, positions]; `other` may be
 * NULL or y. */
typedef struct {
    Window window;
    ptrdiff_t batch;
    const float *x, *other;
    float *y;
} Picture;

/* `count` pictures, one at least, whose windows differ in their sizes alone. */
typedef struct {
    const Picture *all;
    ptrdiff_t count, channels, outputs, groups;
} Pictures;

/* What threads take strips from: all images, each of `parts` parts, in units of `unit` positions. */
typedef struct {
    const Pictures *pictures;
    ptrdiff_t parts, unit, widest; /* units of a strip */
    ptrdiff_t units, taken;
} Queue;

/* Positions begin..end of a part of a picture, counted over all of its images. */
typedef struct {
    const Picture *picture;
    ptrdiff_t part, begin, end;
} Strip;

Queue queue_strips(const Pictures *pictures, ptrdiff_t parts, ptrdiff_t unit, ptrdiff_t widest);

/* Take a strip for a thread of the team; 0 if nothing is left. The last strips are narrow: all threads end at much the
 * same time. */
int take_strip(Queue *queue, Strip *strip);

/* The units of an image of the largest picture, at most `limit`. */
ptrdiff_t widest_strip(const Pictures *pictures, ptrdiff_t unit, ptrdiff_t limit);

#endif
