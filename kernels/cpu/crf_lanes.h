/* Reductions over the lanes of a vector, and exp of all of them. */
#ifndef PYDEEPLAB_CRF_LANES_H
#define PYDEEPLAB_CRF_LANES_H

#include <stdint.h>

#include "crf_rows.h"
#include "exponential.h"

typedef int32_t IntVector __attribute__((vector_size(32), aligned(4), may_alias));

/* exp of every element; none may be positive. */
INLINE void exp_vector(Vector *v)
{
    float lane[LANES];
    *(Vector *)lane = *v;
#pragma GCC unroll 1
    for (int i = 0; i < LANES; i++)
        lane[i] = exp_nonpositive(lane[i]);
    *v = *(const Vector *)lane;
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
