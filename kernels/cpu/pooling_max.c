#include <float.h>

#include "pooling_window.h"
#include "simd.h"

#define NOWHERE (-1)

/* A line of the image, reduced down the columns of a window's rows: the largest, and its position in the plane. */
typedef struct {
    float *value;
    int32_t *place;
} Line;

/* NaN is never larger, so what is not larger than the least number has no place. Places are chosen by a bit mask: as a
 * condition that would become a masked store, which some processors do one by one. */
VECTORISED static void first_row(Line line, const float *restrict x, ptrdiff_t n, int32_t start)
{
    float *restrict value = line.value;
    int32_t *restrict place = line.place;
    for (ptrdiff_t i = 0; i < n; i++) {
        const int32_t usable = -(int32_t)(x[i] > -FLT_MAX);
        value[i] = x[i] > -FLT_MAX ? x[i] : -FLT_MAX;
        place[i] = ((start + (int32_t)i) & usable) | (NOWHERE & ~usable);
    }
}

VECTORISED static void next_row(Line line, const float *restrict x, ptrdiff_t n, int32_t start)
{
    float *restrict value = line.value;
    int32_t *restrict place = line.place;
    for (ptrdiff_t i = 0; i < n; i++) {
        const int32_t larger = -(int32_t)(x[i] > value[i]);
        value[i] = x[i] > value[i] ? x[i] : value[i];
        place[i] ^= (place[i] ^ (start + (int32_t)i)) & larger;
    }
}

/* Of equal ones the first in row-major order stays: that with the smaller place. */
static inline __attribute__((always_inline)) void keep_larger(float *restrict best, int32_t *restrict where,
                                                              const float *restrict x, const int32_t *restrict place,
                                                              ptrdiff_t n, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        const float value = x[j * stride];
        const int32_t at = place[j * stride];
        const int32_t better = -(int32_t)((value > best[j]) | ((value == best[j]) & (at < where[j])));
        best[j] = value > best[j] ? value : best[j];
        where[j] ^= (where[j] ^ at) & better;
    }
}

VECTORISED static void along_with_index(const Pooling *pool, const Run *runs, Line line, float *y, int32_t *index)
{
    for (ptrdiff_t q = 0; q < pool->columns; q++) {
        y[q] = -FLT_MAX;
        index[q] = NOWHERE;
    }
    for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
        const Run run = runs[v];
        const ptrdiff_t n = run.last - run.first;
        float *best = y + run.first;
        int32_t *where = index + run.first;
        if (pool->stride_w == 1)
            keep_larger(best, where, line.value + run.start, line.place + run.start, n, 1);
        else if (pool->stride_w == 2)
            keep_larger(best, where, line.value + run.start, line.place + run.start, n, 2);
        else
            keep_larger(best, where, line.value + run.start, line.place + run.start, n, pool->stride_w);
    }
}

static void max_plane_with_index(const Pooling *pool, const Run *runs, const float *x, float *y, int32_t *index,
                                 Line line)
{
    for (ptrdiff_t p = 0; p < pool->rows; p++, y += pool->columns, index += pool->columns) {
        const Span rows = row_span(pool, p);
        if (rows.begin >= rows.end) {
            for (ptrdiff_t q = 0; q < pool->columns; q++) {
                y[q] = -FLT_MAX;
                index[q] = NOWHERE;
            }
            continue;
        }
        first_row(line, x + rows.begin * pool->width, pool->width, (int32_t)(rows.begin * pool->width));
        for (ptrdiff_t h = rows.begin + pool->dilation_h; h < rows.end; h += pool->dilation_h)
            next_row(line, x + h * pool->width, pool->width, (int32_t)(h * pool->width));
        along_with_index(pool, runs, line, y, index);
    }
}

static inline __attribute__((always_inline)) void keep_larger_value(float *restrict best, const float *restrict x,
                                                                    ptrdiff_t n, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n; j++)
        best[j] = x[j * stride] > best[j] ? x[j * stride] : best[j];
}

/* The largest alone: first down the columns of the window's rows into `line`, then along it. */
VECTORISED static void max_plane(const Pooling *pool, const Run *runs, const float *x, float *y, float *line)
{
    for (ptrdiff_t p = 0; p < pool->rows; p++, y += pool->columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t w = 0; w < pool->width; w++)
            line[w] = -FLT_MAX;
        for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
            keep_larger_value(line, x + h * pool->width, pool->width, 1);
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            y[q] = -FLT_MAX;
        for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
            const Run run = runs[v];
            if (pool->stride_w == 1)
                keep_larger_value(y + run.first, line + run.start, run.last - run.first, 1);
            else if (pool->stride_w == 2)
                keep_larger_value(y + run.first, line + run.start, run.last - run.first, 2);
            else
                keep_larger_value(y + run.first, line + run.start, run.last - run.first, pool->stride_w);
        }
    }
}

int max_pool_forward(const Pooling *pool, const float *x, float *y, int32_t *index)
{
    const ptrdiff_t in = pool->height * pool->width, out = pool->rows * pool->columns;
    Run *runs = malloc((size_t)pool->kernel_w * sizeof *runs);
    int status = runs ? 0 : -1;
    for (ptrdiff_t v = 0; runs && v < pool->kernel_w; v++)
        runs[v] = column_run(pool, v);
#pragma omp parallel if (pool->planes * in > 32768) reduction(min : status)
    {
        float *values = malloc((size_t)(pool->width + 1) * (sizeof(float) + sizeof(int32_t)));
        const Line line = {values, (int32_t *)(values + pool->width + 1)};
        if (!values)
            status = -1;
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < pool->planes; plane++) {
            if (!runs || !values)
                continue;
            if (index)
                max_plane_with_index(pool, runs, x + plane * in, y + plane * out, index + plane * out, line);
            else
                max_plane(pool, runs, x + plane * in, y + plane * out, values);
        }
        free(values);
    }
    free(runs);
    return status;
}

void max_pool_backward(const Pooling *pool, const float *dy, const int32_t *index, float *dx)
{
    const ptrdiff_t in = pool->height * pool->width, out = pool->rows * pool->columns;
#pragma omp parallel for schedule(static) if (pool->planes * in > 32768)
    for (ptrdiff_t plane = 0; plane < pool->planes; plane++) {
        float *image = dx + plane * in;
        for (ptrdiff_t i = 0; i < in; i++)
            image[i] = 0.0f;
        for (ptrdiff_t i = plane * out; i < (plane + 1) * out; i++)
            if (index[i] >= 0 && index[i] < in)
                image[index[i]] += dy[i];
    }
}
