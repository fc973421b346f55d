/* What the engines share that multiply packed weights by strips of columns made while they are packed. */
#ifndef PYDEEPLAB_CONV_STRIP_H
#define PYDEEPLAB_CONV_STRIP_H

#include "conv_window.h"
#include "gemm_tile.h"

enum {
    WIDEST = 16,        /* panels of a strip */
    TERMS_AT_ONCE = 64, /* of a block of weights */
    LANES = 8,
};

typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
#define AT(place) (*(Vector *)(place))

static inline ptrdiff_t over(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* A group's weights: [outputs, depth], times `scale` [outputs] unless that is NULL. */
typedef struct {
    const float *values, *scale;
    ptrdiff_t outputs, depth;
} Weights;

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
