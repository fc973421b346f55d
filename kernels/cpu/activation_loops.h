/* Pointwise non-linearities on n contiguous floats. */
#ifndef PYDEEPLAB_ACTIVATION_H
#define PYDEEPLAB_ACTIVATION_H

#include <stddef.h>

void relu_forward(const float *x, float *y, ptrdiff_t n, float slope);
void relu_backward(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope);
void sigmoid_forward(const float *x, float *y, ptrdiff_t n, float beta);
void sigmoid_backward(const float *y, const float *dy, float *dx, ptrdiff_t n);
void tanh_forward(const float *x, float *y, ptrdiff_t n);
void tanh_backward(const float *y, const float *dy, float *dx, ptrdiff_t n);
void elu_forward(const float *x, float *y, ptrdiff_t n, float alpha);
void elu_backward(const float *x, const float *y, const float *dy, float *dx, ptrdiff_t n, float alpha);
void clip_forward(const float *x, float *y, ptrdiff_t n, float low, float high);
void clip_backward(const float *x, const float *dy, float *dx, ptrdiff_t n, float low, float high);

#endif
