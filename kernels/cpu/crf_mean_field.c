#include "crf_fused.h"
#include "crf_mean_field.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crf_beliefs.h"
#include "parallel.h"
#include "simd.h"

enum { PIECE = 1024, BLOCK = 32 };

INLINE void join_points(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t begin, ptrdiff_t end,
                        const int k, int32_t *all_vertex, float *all_weight, int t, int base, float factor)
{
    for (ptrdiff_t i = begin; i < end; i++) {
        const float times = scale ? scale[i] : 1.0f;
#pragma GCC unroll 6
        for (int c = 0; c < k; c++) {
            all_vertex[i * t + c] = vertex[i * k + c] + base;
            all_weight[i * t + c] = weight[i * k + c] * factor * times;
        }
    }
}

static void join_piece(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t begin, ptrdiff_t end,
                       int k, int32_t *restrict all_vertex, float *restrict all_weight, int t, int base, float factor)
{
    switch (k) {
    case 3: join_points(vertex, weight, scale, begin, end, 3, all_vertex, all_weight, t, base, factor); break;
    case 6: join_points(vertex, weight, scale, begin, end, 6, all_vertex, all_weight, t, base, factor); break;
    default: join_points(vertex, weight, scale, begin, end, k, all_vertex, all_weight, t, base, factor);
    }
}

void crf_join(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k, int32_t *all_vertex,
              float *all_weight, int t, int column, int base, float factor)
{
    FOR_PIECES(n, begin, end, join_piece(vertex, weight, scale, begin, end, k, all_vertex + column, all_weight + column, t,
                                         base, factor););
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

VECTORISED static void update_piece(const Field f, float *q, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t n = begin; n < end; n += BLOCK) {
        const int points = end - n < BLOCK ? (int)(end - n) : BLOCK;
        float *to = q + n * f.p;
        switch (f.p % LANES ? 0 : f.p / LANES) {
        case 1: believe(f, n, points, to, 1, f.t); break;
        case 2: believe(f, n, points, to, 2, f.t); break;
        case 3: believe(f, n, points, to, 3, f.t); break;
        case 4: believe(f, n, points, to, 4, f.t); break;
        default: believe_long(f, n, points, to, f.t);
        }
    }
}

void crf_update(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                ptrdiff_t n, ptrdiff_t p, int t)
{
    const ptrdiff_t pieces = (n + PIECE - 1) / PIECE;
    const Field field = {score, vertex, weight, values, p, t};
#pragma omp parallel for schedule(dynamic) if (pieces > 1)
    for (ptrdiff_t i = 0; i < pieces; i++)
        update_piece(field, q, i * PIECE, (i + 1) * PIECE < n ? (i + 1) * PIECE : n);
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
