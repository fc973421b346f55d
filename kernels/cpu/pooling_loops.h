/* Pooling over rectangular windows, on `planes` planes of height x width giving rows x columns. */
#ifndef PYDEEPLAB_POOLING_H
#define PYDEEPLAB_POOLING_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    ptrdiff_t planes, height, width, rows, columns;
    ptrdiff_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
} Pooling;

/* Functions that need memory return 0, or -1 when it ran out. index may be NULL. */
int max_pool_forward(const Pooling *pool, const float *x, float *y, int32_t *index);
void max_pool_backward(const Pooling *pool, const float *dy, const int32_t *index, float *dx);
int ave_pool_forward(const Pooling *pool, const float *x, float *y);
int ave_pool_backward(const Pooling *pool, const float *dy, float *dx);
void stochastic_pool_forward(const Pooling *pool, const float *x, const float *u, float *y, int32_t *index);
void stochastic_pool_average(const Pooling *pool, const float *x, float *y);

#endif
