#include <float.h>

#include "pooling_window.h"

static float window_sum(const Pooling *pool, const float *x, Span rows, Span columns)
{
    float sum = 0.0f;
    for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
        for (ptrdiff_t w = columns.begin; w < columns.end; w += pool->dilation_w)
            sum += x[h * pool->width + w];
    return sum;
}

/* The position at which the running sum reaches the threshold, or -1. */
static int32_t reach(const Pooling *pool, const float *x, Span rows, Span columns, float threshold)
{
    float sum = 0.0f;
    for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
        for (ptrdiff_t w = columns.begin; w < columns.end; w += pool->dilation_w) {
            sum += x[h * pool->width + w];
            if (sum >= threshold)
                return (int32_t)(h * pool->width + w);
        }
    return -1;
}

void stochastic_pool_forward(const Pooling *pool, const float *x, const float *u, float *y, int32_t *index)
{
    const ptrdiff_t in = pool->height * pool->width, out = pool->rows * pool->columns;
#pragma omp parallel for schedule(static) if (pool->planes * in > 32768)
    for (ptrdiff_t plane = 0; plane < pool->planes; plane++) {
        const float *image = x + plane * in;
        for (ptrdiff_t i = 0; i < out; i++) {
            const Span rows = row_span(pool, i / pool->columns), columns = column_span(pool, i % pool->columns);
            const float threshold = u[plane * out + i] * window_sum(pool, image, rows, columns);
            const int32_t position = reach(pool, image, rows, columns, threshold);
            index[plane * out + i] = position;
            y[plane * out + i] = position >= 0 ? image[position] : 0.0f;
        }
    }
}

void stochastic_pool_average(const Pooling *pool, const float *x, float *y)
{
    const ptrdiff_t in = pool->height * pool->width, out = pool->rows * pool->columns;
#pragma omp parallel for schedule(static) if (pool->planes * in > 32768)
    for (ptrdiff_t plane = 0; plane < pool->planes; plane++) {
        const float *image = x + plane * in;
        for (ptrdiff_t i = 0; i < out; i++) {
            const Span rows = row_span(pool, i / pool->columns), columns = column_span(pool, i % pool->columns);
            float sum = FLT_MIN, squares = 0.0f;
            for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
                for (ptrdiff_t w = columns.begin; w < columns.end; w += pool->dilation_w) {
                    sum += image[h * pool->width + w];
                    squares += image[h * pool->width + w] * image[h * pool->width + w];
                }
            y[plane * out + i] = squares / sum;
        }
    }
}
