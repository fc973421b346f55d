/* Arithmetic between arrays of n floats. */
#ifndef PYDEEPLAB_ELTWISE_H
#define PYDEEPLAB_ELTWISE_H

#include <stddef.h>
#include <stdint.h>

void eltwise_add(const float *a, const float *b, float *y, ptrdiff_t n, float alpha, float beta, int relu);
void eltwise_multiply(const float *a, const float *b, float *y, ptrdiff_t n);
void eltwise_ratio(const float *y, const float *x, const float *dy, float *dx, ptrdiff_t n);
void eltwise_max(const float *a, const float *b, float *y, int32_t *winner, ptrdiff_t n, int32_t index);
void eltwise_select(const int32_t *winner, const float *dy, float *dx, ptrdiff_t n, int32_t index);
void eltwise_axpby(const float *x, float *y, ptrdiff_t n, float alpha, float beta);

#endif
