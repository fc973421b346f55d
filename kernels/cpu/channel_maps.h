/* Pointwise maps of x[outer][channels][inner] whose constants depend on the channel. */
#ifndef PYDEEPLAB_CHANNEL_MAPS_H
#define PYDEEPLAB_CHANNEL_MAPS_H

#include <stddef.h>

/* y = x scale_c + shift_c (NULL: 1 and 0), then leaky ReLU if asked for. */
void channel_affine(const float *x, float *y, const float *scale, const float *shift, ptrdiff_t outer,
                    ptrdiff_t channels, ptrdiff_t inner, float slope, int relu);

/* y = (x - mean_c) factor_c + shift_c (shift NULL: 0). */
void channel_normalize(const float *x, const float *mean, const float *factor, const float *shift, float *y,
                       ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner);

/* dx = (dy - a_c - (x - mean_c) b_c) factor_c. */
void channel_normalize_gradient(const float *x, const float *dy, const float *mean, const float *a, const float *b,
                                const float *factor, float *dx, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner);

void channel_prelu(const float *x, const float *slope, float *y, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner);
void channel_prelu_gradient(const float *x, const float *dy, const float *slope, float *dx, ptrdiff_t outer,
                            ptrdiff_t channels, ptrdiff_t inner);

#endif
