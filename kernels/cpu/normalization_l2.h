/* L2 normalisation over the channels of x[outer][channels][inner]. */
#ifndef PYDEEPLAB_NORMALIZATION_L2_H
#define PYDEEPLAB_NORMALIZATION_L2_H

#include <stddef.h>

void l2_normalize(const float *x, float *y, float *norm, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                  double eps);
void l2_normalize_gradient(const float *x, const float *norm, const float *dy, float *dx, ptrdiff_t outer,
                           ptrdiff_t channels, ptrdiff_t inner);

#endif
