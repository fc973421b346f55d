/* What the engines share that multiply packed weights by strips of columns made while they are packed. */
#ifndef PYDEEPLAB_CONV_STRIP_H
#define PYDEEPLAB_CONV_STRIP_H

#include "conv_pictures.h"
#include "gemm_tile.h"
#include "scratch.h"
#include "vectors.h"

enum {
    WIDEST = 16,        /* panels of a strip */
    TERMS_AT_ONCE = 64, /* of a block of weights */
};

/* The weights of `outputs` outputs of a group, and what they are multiplied by, 1 where that is NULL. */
typedef struct {
    const float *values, *scale;
    ptrdiff_t outputs, depth;
    ptrdiff_t output_step;        /* from an output's values to those of the next */
    int adjoint;                  /* terms do not follow each other: */
    ptrdiff_t channel_step, taps; /* from channel to channel, and taps of each, in reverse */
} Weights;

/* `count` outputs from `first` on, which is counted over all groups. w: [outputs, channels / groups, taps] of the pictures or,
 * if `adjoint`, of the convolution whose outputs are their channels; the taps are in reverse then. */
Weights weights_of(const Pictures *pictures, const float *w, int adjoint, const float *scale, ptrdiff_t first,
                   ptrdiff_t count);

/* For BLOCK outputs from `first` on, terms k..k + count, at most TERMS_AT_ONCE: term after term; zero beyond the weights. */
void weights_block(const Weights *weights, ptrdiff_t first, ptrdiff_t k, ptrdiff_t count, float *block);

/* One row of the columns of `image` at positions begin..end and zeros up to begin + room, which is at most WIDEST panels:
 * in the image itself or in `line`. */
const float *columns_line(const Window *window, const float *image, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end,
                          ptrdiff_t room, float *line);

/* made[i] = act(sums[i] + bias + other[i]), i < n, where a panel of sums lies `step` after the one before; `other` may be
 * NULL or made. */
void store_line(const float *sums, ptrdiff_t step, const float *other, float *made, ptrdiff_t n, float bias, int relu,
                float slope);

#endif
