/* Softmax over channels of n x c x s floats, alone and with the multinomial logistic loss. */
#ifndef PYDEEPLAB_SOFTMAX_LOOPS_H
#define PYDEEPLAB_SOFTMAX_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* What the labels of one block, or of all, add up to. */
typedef struct {
    double loss, weight;
    ptrdiff_t used, first_bad; /* -1: none */
} loss_sums;

/* The number of blocks that softmax_loss_forward works in, for which the caller provides sums. */
ptrdiff_t softmax_blocks(ptrdiff_t n, ptrdiff_t s);

void softmax_forward(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s);
void softmax_backward(const float *y, const float *dy, float *dx, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s);
loss_sums softmax_loss_forward(const float *x, const float *label, const float *weight, const int32_t *ignore, float *p,
                               ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, loss_sums *blocks);
void softmax_loss_backward(const float *p, const float *label, const float *weight, const int32_t *ignore, float *dx,
                           ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, float scale);

#endif
