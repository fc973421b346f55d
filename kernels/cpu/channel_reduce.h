/* Sums over the channels of x[outer][channels][inner]; all return 0, or -1 when memory ran out. */
#ifndef PYDEEPLAB_CHANNEL_REDUCE_H
#define PYDEEPLAB_CHANNEL_REDUCE_H

#include <stddef.h>

/* sums[c][0] = sum of dy. */
int channel_sum(const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, double *sums);

/* sums[c][0] = sum of x dy. */
int channel_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, double *sums);

/* sums[c][0] = sum of dy x over x <= 0. */
int channel_negative_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                         double *sums);

/* sums[c] = sum of dy, sum of dy (x - mean_c). */
int channel_centred_dot(const float *x, const float *dy, const float *mean, ptrdiff_t outer, ptrdiff_t channels,
                        ptrdiff_t inner, double *sums);

/* Mean and biased variance. */
int channel_moments(const float *x, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, float *mean,
                    float *variance, double *sums);

#endif
