/* Resizing with aligned corners of a window of each of p planes. */
#ifndef PYDEEPLAB_INTERP_RESIZE_H
#define PYDEEPLAB_INTERP_RESIZE_H

#include <stddef.h>

/* p planes of h x w, of which the window at (top, left), height x width, corresponds to q x r. */
typedef struct {
    ptrdiff_t p, h, w, q, r, top, left, height, width;
} interp_shape;

/* These return 0, or -1 if memory ran out. */
int interp_forward(const float *x, float *y, const interp_shape *shape);
int interp_backward(const float *dy, float *dx, const interp_shape *shape);
int interp_nearest_forward(const float *x, float *y, const interp_shape *shape);

#endif
