#include "crf_filter.h"

#include <math.h>
#include <string.h>

#include "crf_rows.h"
#include "parallel.h"
#include "simd.h"

/* Row v of values becomes the weighted sum of its points, for the vertices begin..end. */
VECTORISED static void splat_piece(const float *x, ptrdiff_t p, const int32_t *start, const int32_t *point,
                                   const float *share, ptrdiff_t begin, ptrdiff_t end, float *values)
{
    const int32_t last = start[end] - 1;
    for (ptrdiff_t v = begin; v < end; v++) {
        const int32_t first = start[v], stop = start[v + 1];
#define SPLAT(type, count, at)                                                       \
    do {                                                                             \
        type sum_[count] = {0};                                                      \
        for (int32_t e = first; e < stop; e++) {                                     \
            if ((at) == 0)                                                           \
                fetch_row(x + (ptrdiff_t)point[e + AHEAD < last ? e + AHEAD : last] * p, p); \
            ADD_ROW(type, count, sum_, share[e], x + (ptrdiff_t)point[e] * p + (at)); \
        }                                                                            \
        STORE_ROW(type, count, values + v * p + (at), sum_);                         \
    } while (0)
        FOR_COLUMNS(p, SPLAT);
    }
}

/* to[v] = from[v] + (from[minus] + from[plus]) / 2 for the vertices begin..end. */
VECTORISED static void blur_piece(const float *from, ptrdiff_t p, const int32_t *neighbour, ptrdiff_t begin,
                                  ptrdiff_t end, float *to)
{
    for (ptrdiff_t v = begin; v < end; v++) {
        const ptrdiff_t later = v + AHEAD < end ? v + AHEAD : v;
        fetch_row(from + (ptrdiff_t)neighbour[2 * later] * p, p);
        fetch_row(from + (ptrdiff_t)neighbour[2 * later + 1] * p, p);
        const float *here = from + v * p, *minus = from + (ptrdiff_t)neighbour[2 * v] * p,
                    *plus = from + (ptrdiff_t)neighbour[2 * v + 1] * p;
#define BLUR(type, count, at)                                                        \
    do {                                                                             \
        type sum_[count];                                                            \
        _Pragma("GCC unroll 4") for (int i_ = 0; i_ < (count); i_++)                 \
            sum_[i_] = ((const type *)(here + (at)))[i_] +                           \
                       0.5f * (((const type *)(minus + (at)))[i_] + ((const type *)(plus + (at)))[i_]); \
        STORE_ROW(type, count, to + v * p + (at), sum_);                             \
    } while (0)
        FOR_COLUMNS(p, BLUR);
    }
}

VECTORISED static void slice_piece(const float *values, ptrdiff_t p, const int32_t *vertex, const float *weight,
                                   ptrdiff_t begin, ptrdiff_t end, int k, float *y)
{
    for (ptrdiff_t n = begin; n < end; n++) {
        const int32_t *later = vertex + (n + 2 < end ? n + 2 : n) * k;
        for (int c = 0; c < k; c++)
            fetch_row(values + (ptrdiff_t)later[c] * p, p);
#define SLICE(type, count, at)                                                       \
    do {                                                                             \
        type sum_[count] = {0};                                                      \
        for (int c = 0; c < k; c++)                                                  \
            ADD_ROW(type, count, sum_, weight[n * k + c], values + (ptrdiff_t)vertex[n * k + c] * p + (at)); \
        STORE_ROW(type, count, y + n * p + (at), sum_);                              \
    } while (0)
        FOR_COLUMNS(p, SLICE);
    }
}

/* The same for one column. */
INLINE void slice_column(const float *values, const int32_t *vertex, const float *weight, ptrdiff_t begin, ptrdiff_t end,
                         const int k, float *y)
{
    for (ptrdiff_t n = begin; n < end; n++) {
        float sum = 0;
#pragma GCC unroll 6
        for (int c = 0; c < k; c++)
            sum += weight[n * k + c] * values[vertex[n * k + c]];
        y[n] = sum;
    }
}

static void slice_one(const float *values, const int32_t *vertex, const float *weight, ptrdiff_t begin, ptrdiff_t end,
                      int k, float *y)
{
    switch (k) {
    case 3: slice_column(values, vertex, weight, begin, end, 3, y); break;
    case 6: slice_column(values, vertex, weight, begin, end, 6, y); break;
    default: slice_column(values, vertex, weight, begin, end, k, y);
    }
}

/* The first vertex whose entries begin at or after `entry`. */
static ptrdiff_t vertex_of(const int32_t *start, ptrdiff_t m, ptrdiff_t entry)
{
    ptrdiff_t low = 0, high = m;
    while (low < high) {
        const ptrdiff_t middle = (low + high) / 2;
        if (start[middle] < entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void lattice_gather(const float *x, ptrdiff_t p, const int32_t *start, const int32_t *point, const float *share,
                    const int32_t *neighbour, int k, ptrdiff_t m, float *values, float *other)
{
    enum { SPLAT_ENTRIES = 8192, BLUR_VERTICES = 1024 };
    const ptrdiff_t entries = start[m], splats = entries / SPLAT_ENTRIES + 1, blurs = (m + BLUR_VERTICES - 1) / BLUR_VERTICES;
    float *first = k % 2 ? other : values, *second = k % 2 ? values : other;
    memset(first + m * p, 0, (size_t)p * sizeof(float));
    memset(second + m * p, 0, (size_t)p * sizeof(float));
#pragma omp parallel if (splats > 1)
    {
#pragma omp for schedule(dynamic)
        for (ptrdiff_t s = 0; s < splats; s++) {
            const ptrdiff_t begin = s ? vertex_of(start, m, entries * s / splats) : 0;
            const ptrdiff_t end = s + 1 < splats ? vertex_of(start, m, entries * (s + 1) / splats) : m;
            if (begin < end)
                splat_piece(x, p, start, point, share, begin, end, first);
        }
        for (int axis = 0; axis < k; axis++) {
            const float *from = axis % 2 ? second : first;
            float *to = axis % 2 ? first : second;
#pragma omp for schedule(dynamic)
            for (ptrdiff_t b = 0; b < blurs; b++) {
                const ptrdiff_t begin = b * BLUR_VERTICES, end = begin + BLUR_VERTICES < m ? begin + BLUR_VERTICES : m;
                blur_piece(from, p, neighbour + axis * m * 2, begin, end, to);
            }
        }
    }
}

void lattice_slice(const float *values, ptrdiff_t p, const int32_t *vertex, const float *weight, ptrdiff_t n, int k,
                   float *y)
{
    enum { PIECE = 1024 };
    const ptrdiff_t pieces = (n + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(dynamic) if (pieces > 1)
    for (ptrdiff_t i = 0; i < pieces; i++) {
        const ptrdiff_t begin = i * PIECE, end = begin + PIECE < n ? begin + PIECE : n;
        if (p == 1)
            slice_one(values, vertex, weight, begin, end, k, y);
        else
            slice_piece(values, p, vertex, weight, begin, end, k, y);
    }
}

VECTORISED static void scale_piece(const float *sum, ptrdiff_t n, float factor, float *scale)
{
    for (ptrdiff_t i = 0; i < n; i++) scale[i] = 1 / (factor * sum[i] + 1e-20f);
}

void lattice_scale(const float *sum, ptrdiff_t n, float factor, int root, float *scale)
{
    FOR_PIECES(n, begin, end, {
        scale_piece(sum + begin, end - begin, factor, scale + begin);
        for (ptrdiff_t i = begin; root && i < end; i++) scale[i] = sqrtf(scale[i]);
    });
}
