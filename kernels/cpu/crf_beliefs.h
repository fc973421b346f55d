/* The mean-field update of a few consecutive points: q = softmax(score + sum_t weight_t values[vertex_t]).
 *
 * It is done in passes over the points, so that the steps of one point do not wait for each other. */
#ifndef PYDEEPLAB_CRF_BELIEFS_H
#define PYDEEPLAB_CRF_BELIEFS_H

#include <string.h>

#include "crf_lanes.h"

/* Arrays of a mean field: rows of p values per point and per vertex, t vertices per point. */
typedef struct {
    const float *score;
    const int32_t *vertex;
    const float *weight, *values;
    ptrdiff_t p;
    int t;
} Field;

/* Rows of count vectors: q[0..points) become the softmax of themselves. */
INLINE void softmax_rows(float *q, int points, const int count)
{
    for (int n = 0; n < points; n++) {
        Vector *x = (Vector *)q + n * count, largest = x[0];
#pragma GCC unroll 4
        for (int i = 1; i < count; i++)
            raise_to(&largest, x[i]);
        spread_largest(&largest);
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            x[i] -= largest;
    }
    for (int i = 0; i < points * count * LANES; i++)
        q[i] = exp_nonpositive(q[i]);
    for (int n = 0; n < points; n++) {
        Vector *x = (Vector *)q + n * count, sum = {0};
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            sum += x[i];
        spread_sum(&sum);
        const Vector inverse = 1.0f / sum;
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            x[i] *= inverse;
    }
}

/* The same for one row of any length. */
INLINE void softmax_long_row(float *q, ptrdiff_t p)
{
    const ptrdiff_t whole = p / LANES * LANES;
    const size_t rest = (size_t)(p - whole) * sizeof(float);
    Vector last = (Vector){0} - 1e30f, largest, sum = {0};
    memcpy(&last, q + whole, rest);
    largest = last;
    for (ptrdiff_t at = 0; at < whole; at += LANES)
        raise_to(&largest, *(const Vector *)(q + at));
    spread_largest(&largest);
    for (ptrdiff_t at = 0; at < whole; at += LANES) {
        Vector x = *(const Vector *)(q + at) - largest;
        exp_vector(&x);
        sum += x;
        *(Vector *)(q + at) = x;
    }
    last -= largest;
    exp_vector(&last);
    sum += last;
    spread_sum(&sum);
    const Vector inverse = 1.0f / sum;
    for (ptrdiff_t at = 0; at < whole; at += LANES)
        *(Vector *)(q + at) *= inverse;
    last *= inverse;
    memcpy(q + whole, &last, rest);
}

/* Points begin..begin + points, whose rows are count vectors. */
INLINE void believe(const Field f, ptrdiff_t begin, int points, float *q, const int count, const int t)
{
    const ptrdiff_t p = count * LANES;
    for (int n = 0; n < points; n++) {
        const int32_t *corner = f.vertex + (begin + n) * t;
        const float *share = f.weight + (begin + n) * t;
        Vector x[4];
        LOAD_ROW(Vector, count, x, f.score + (begin + n) * p);
#pragma GCC unroll 9
        for (int c = 0; c < t; c++)
            ADD_ROW(Vector, count, x, share[c], f.values + (ptrdiff_t)corner[c] * p);
        STORE_ROW(Vector, count, q + n * p, x);
    }
    softmax_rows(q, points, count);
}

/* The same for rows of any length. */
INLINE void believe_long(const Field f, ptrdiff_t begin, int points, float *q, const int t)
{
    const ptrdiff_t p = f.p;
    for (int n = 0; n < points; n++) {
        const int32_t *corner = f.vertex + (begin + n) * t;
        const float *share = f.weight + (begin + n) * t, *score = f.score + (begin + n) * p;
        float *to = q + n * p;
#define BELIEVE(type, count, at)                                                     \
    do {                                                                             \
        type sum_[count];                                                            \
        LOAD_ROW(type, count, sum_, score + (at));                                   \
        for (int c = 0; c < t; c++)                                                  \
            ADD_ROW(type, count, sum_, share[c], f.values + (ptrdiff_t)corner[c] * p + (at)); \
        STORE_ROW(type, count, to + (at), sum_);                                     \
    } while (0)
        FOR_COLUMNS(p, BELIEVE);
        softmax_long_row(to, p);
    }
}

#endif
