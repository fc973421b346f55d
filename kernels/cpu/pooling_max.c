#include <float.h>

#include "pooling_window.h"
#include "simd.h"

#define NOWHERE INT32_MIN

/* best[j] = x[j * stride] where that is larger, and where[j] the place. NaN is never larger. The place is chosen by a
 * bit mask: as a condition it would become a masked store, which some processors do one by one. */
static inline void keep_larger(float *restrict best, int32_t *restrict where, const float *restrict x, ptrdiff_t n,
                               ptrdiff_t stride, int32_t place)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        const float value = x[j * stride];
        const int32_t larger = -(int32_t)(value > best[j]);
        best[j] = value > best[j] ? value : best[j];
        where[j] ^= (where[j] ^ place) & larger;
    }
}

/* The largest and its position, tap by tap in row-major order, so that the first of equal ones stays. While a line is
 * being made, `index` holds positions less q * stride_w, which are the same for a whole line. */
VECTORISED static void max_plane_with_index(const Pooling *pool, const float *x, float *y, int32_t *index)
{
    const int32_t stride = (int32_t)pool->stride_w, columns = (int32_t)pool->columns;
    for (ptrdiff_t p = 0; p < pool->rows; p++, y += columns, index += columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t q = 0; q < columns; q++) {
            y[q] = -FLT_MAX;
            index[q] = NOWHERE;
        }
        for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
            for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
                const Run run = column_run(pool, v);
                const ptrdiff_t n = run.last - run.first;
                const float *pixels = x + h * pool->width + run.start;
                const int32_t place = (int32_t)(h * pool->width + v * pool->dilation_w - pool->pad_w);
                if (stride == 1)
                    keep_larger(y + run.first, index + run.first, pixels, n, 1, place);
                else if (stride == 2)
                    keep_larger(y + run.first, index + run.first, pixels, n, 2, place);
                else
                    keep_larger(y + run.first, index + run.first, pixels, n, stride, place);
            }
        for (int32_t q = 0; q < columns; q++)
            index[q] = index[q] == NOWHERE ? -1 : index[q] + q * stride;
    }
}

static inline void keep_larger_value(float *restrict best, const float *restrict x, ptrdiff_t n, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n; j++)
        best[j] = x[j * stride] > best[j] ? x[j * stride] : best[j];
}

/* The largest alone: first down the columns of the window's rows into `line`, then along it. */
VECTORISED static void max_plane(const Pooling *pool, const float *x, float *y, float *line)
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
            const Run run = column_run(pool, v);
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
    int status = 0;
#pragma omp parallel if (pool->planes * in > 32768) reduction(min : status)
    {
        float *line = index ? NULL : malloc((size_t)(pool->width + 1) * sizeof *line);
        if (!line && !index)
            status = -1;
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < pool->planes; plane++)
            if (index)
                max_plane_with_index(pool, x + plane * in, y + plane * out, index + plane * out);
            else if (line)
                max_plane(pool, x + plane * in, y + plane * out, line);
        free(line);
    }
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
