#include "crf_mean_field.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crf_lanes.h"
#include "crf_rows.h"
#include "parallel.h"
#include "simd.h"

enum { PIECE = 1024 };

void crf_join(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k, int32_t *all_vertex,
              float *all_weight, int t, int column, int base, float factor)
{
    FOR_PIECES(n, begin, end, for (ptrdiff_t i = begin; i < end; i++) {
        const float times = scale ? scale[i] : 1.0f;
        for (int c = 0; c < k; c++) {
            all_vertex[i * t + column + c] = vertex[i * k + c] + base;
            all_weight[i * t + column + c] = weight[i * k + c] * factor * times;
        }
    });
}

/* columns[i * p + j] is the weight of value i in result j. */
VECTORISED static void mix_piece(const float *columns, int c, float *values, ptrdiff_t rows, ptrdiff_t p, float *row)
{
    for (ptrdiff_t v = 0; v < rows; v++) {
        memcpy(row, values + v * p, (size_t)c * sizeof(float));
#define MIX(type, count, at)                                                         \
    do {                                                                             \
        type sum_[count] = {0};                                                      \
        for (int i = 0; i < c; i++)                                                  \
            ADD_ROW(type, count, sum_, row[i], columns + (ptrdiff_t)i * p + (at));   \
        STORE_ROW(type, count, values + v * p + (at), sum_);                         \
    } while (0)
        FOR_COLUMNS(p, MIX);
    }
}

int crf_mix(const float *matrix, int c, float *values, ptrdiff_t r, ptrdiff_t p)
{
    const ptrdiff_t pieces = (r + PIECE - 1) / PIECE;
    float *columns = calloc((size_t)(c * p + pieces * p) + 1, sizeof(float));
    if (!columns)
        return -1;
    for (int i = 0; i < c; i++)
        for (int j = 0; j < c; j++)
            columns[i * p + j] = matrix[j * c + i];
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (ptrdiff_t i = 0; i < pieces; i++)
        mix_piece(columns, c, values + i * PIECE * p, r - i * PIECE < PIECE ? r - i * PIECE : PIECE, p,
                  columns + (c + i) * p);
    free(columns);
    return 0;
}

/* The scores of one point and what its neighbours say, count vectors in registers, made into probabilities. */
INLINE void update_point(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                         const int count, const int t)
{
    Vector x[4], largest, sum = {0};
    LOAD_ROW(Vector, count, x, score);
    for (int c = 0; c < t; c++)
        ADD_ROW(Vector, count, x, weight[c], values + (ptrdiff_t)vertex[c] * count * LANES);
    largest = x[0];
#pragma GCC unroll 4
    for (int i = 1; i < count; i++)
        raise_to(&largest, x[i]);
    spread_largest(&largest);
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
        x[i] -= largest;
        exp_vector(&x[i]);
        sum += x[i];
    }
    spread_sum(&sum);
    const Vector inverse = 1.0f / sum;
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
        ((Vector *)q)[i] = x[i] * inverse;
}

/* The same for rows of any length, in several passes over a row of q. */
INLINE void update_long_point(const float *score, const int32_t *vertex, const float *weight, const float *values,
                              float *q, ptrdiff_t p, int t)
{
#define UPDATE(type, count, at)                                                      \
    do {                                                                             \
        type sum_[count];                                                            \
        LOAD_ROW(type, count, sum_, score + (at));                                   \
        for (int c = 0; c < t; c++)                                                  \
            ADD_ROW(type, count, sum_, weight[c], values + (ptrdiff_t)vertex[c] * p + (at)); \
        STORE_ROW(type, count, q + (at), sum_);                                      \
    } while (0)
    FOR_COLUMNS(p, UPDATE);
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

VECTORISED static void update_piece(const float *score, const int32_t *vertex, const float *weight, const float *values,
                                    float *q, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t p, int t)
{
    const int count = p % LANES ? 0 : (int)(p / LANES);
    for (ptrdiff_t n = begin; n < end; n++) {
        const int32_t *later = vertex + (n + 2 < end ? n + 2 : n) * t;
        for (int c = 0; c < t; c++)
            fetch_row(values + (ptrdiff_t)later[c] * p, p);
        const int32_t *corner = vertex + n * t;
        const float *share = weight + n * t;
        switch (count) {
        case 1: update_point(score + n * p, corner, share, values, q + n * p, 1, t); break;
        case 2: update_point(score + n * p, corner, share, values, q + n * p, 2, t); break;
        case 3: update_point(score + n * p, corner, share, values, q + n * p, 3, t); break;
        case 4: update_point(score + n * p, corner, share, values, q + n * p, 4, t); break;
        default: update_long_point(score + n * p, corner, share, values, q + n * p, p, t);
        }
    }
}

void crf_update(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                ptrdiff_t n, ptrdiff_t p, int t)
{
    const ptrdiff_t pieces = (n + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(dynamic) if (pieces > 1)
    for (ptrdiff_t i = 0; i < pieces; i++)
        update_piece(score, vertex, weight, values, q, i * PIECE, (i + 1) * PIECE < n ? (i + 1) * PIECE : n, p, t);
}

enum { TRANSPOSED = 64 };

/* Where the pixels begin..end of a region of this width lie in an image that is `full` wide. */
static void places(ptrdiff_t begin, ptrdiff_t end, ptrdiff_t width, ptrdiff_t full, ptrdiff_t *place)
{
    for (ptrdiff_t i = begin, y = begin / width, x = begin % width; i < end; i++) {
        place[i - begin] = y * full + x;
        if (++x == width) {
            x = 0;
            y++;
        }
    }
}

void crf_pack(const float *score, ptrdiff_t c, ptrdiff_t plane, ptrdiff_t full_width, float *packed, ptrdiff_t n,
              ptrdiff_t p, ptrdiff_t width)
{
    const ptrdiff_t blocks = (n + TRANSPOSED - 1) / TRANSPOSED;
#pragma omp parallel for schedule(static) if (blocks > 16)
    for (ptrdiff_t b = 0; b < blocks; b++) {
        const ptrdiff_t begin = b * TRANSPOSED, end = begin + TRANSPOSED < n ? begin + TRANSPOSED : n;
        ptrdiff_t place[TRANSPOSED];
        places(begin, end, width, full_width, place);
        for (ptrdiff_t k = 0; k < p; k++)
            for (ptrdiff_t i = begin; i < end; i++)
                packed[i * p + k] = k < c ? score[k * plane + place[i - begin]] : CRF_PADDING;
    }
}

void crf_unpack(const float *packed, ptrdiff_t n, ptrdiff_t p, float *score, ptrdiff_t c, ptrdiff_t plane,
                ptrdiff_t full_width, ptrdiff_t width, int log)
{
    const ptrdiff_t blocks = (n + TRANSPOSED - 1) / TRANSPOSED, all = n < plane ? c * plane : 0;
    FOR_PIECES(all, begin, end, memset(score + begin, 0, (size_t)(end - begin) * sizeof(float)););
#pragma omp parallel for schedule(static) if (blocks > 16)
    for (ptrdiff_t b = 0; b < blocks; b++) {
        const ptrdiff_t begin = b * TRANSPOSED, end = begin + TRANSPOSED < n ? begin + TRANSPOSED : n;
        ptrdiff_t place[TRANSPOSED];
        places(begin, end, width, full_width, place);
        for (ptrdiff_t k = 0; k < c; k++)
            for (ptrdiff_t i = begin; i < end; i++) {
                const float value = packed[i * p + k];
                score[k * plane + place[i - begin]] = log ? logf(value > FLT_MIN ? value : FLT_MIN) : value;
            }
    }
}
