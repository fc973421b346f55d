/* Pointwise non-linearities on n contiguous floats. */
#ifndef PYDEEPLAB_ACTIVATION_H
#define PYDEEPLAB_ACTIVATION_H

#include <stddef.h>

void relu_forward(const float *x, float *y, ptrdiff_t n, float slope);
void relu_backward(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope);

#endif
