/* exp of eight floats at once, for arguments up to 88: relative error below 1.2e-7; 0 below -87. */
#ifndef PYDEEPLAB_CRF_EXP_H
#define PYDEEPLAB_CRF_EXP_H

#include <stdint.h>

#include "crf_rows.h"

typedef int32_t IntVector __attribute__((vector_size(32), aligned(4), may_alias));

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2, with ln 2 in two parts and a polynomial for (exp(r) - 1 - r) / r^2. */
INLINE void exp_vector(const Vector *argument, Vector *result)
{
    const Vector x = *argument;
    const Vector rounder = (Vector){0} + 12582912.0f;
    const Vector shifted = x * 1.44269504088896341f + rounder;
    const Vector n = shifted - rounder;
    const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    const IntVector power = ((IntVector)shifted - (IntVector)rounder + 127) << 23;
    const IntVector kept = x > -87.0f;
    *result = (Vector)((IntVector)(y * (Vector)power) & kept);
}

#ifdef __clang__
#define REVERSED(v, a, b, c, d, e, f, g, h) __builtin_shufflevector(v, v, a, b, c, d, e, f, g, h)
#else
#define REVERSED(v, ...) __builtin_shuffle(v, (IntVector){__VA_ARGS__})
#endif

/* a[i] <- the larger of a[i] and b[i] */
INLINE void raise_to(Vector *a, const Vector b)
{
    const IntVector larger = *a > b;
    *a = (Vector)(((IntVector)*a & larger) | ((IntVector)b & ~larger));
}

/* Eight copies of the largest element. */
INLINE void spread_largest(Vector *v)
{
    raise_to(v, REVERSED(*v, 4, 5, 6, 7, 0, 1, 2, 3));
    raise_to(v, REVERSED(*v, 2, 3, 0, 1, 6, 7, 4, 5));
    raise_to(v, REVERSED(*v, 1, 0, 3, 2, 5, 4, 7, 6));
}

/* Eight copies of the sum of all elements. */
INLINE void spread_sum(Vector *v)
{
    *v += REVERSED(*v, 4, 5, 6, 7, 0, 1, 2, 3);
    *v += REVERSED(*v, 2, 3, 0, 1, 6, 7, 4, 5);
    *v += REVERSED(*v, 1, 0, 3, 2, 5, 4, 7, 6);
}

#endif
