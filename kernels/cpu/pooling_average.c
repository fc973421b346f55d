#include "pooling_window.h"
#include "simd.h"

static inline void add(float *restrict sum, const float *restrict x, ptrdiff_t n, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n; j++)
        sum[j] += x[j * stride];
}

/* sum / (rows * columns), where the windows' sizes need not be equal; an empty window gives 0. */
static inline float mean(float sum, Span rows, Span columns)
{
    const ptrdiff_t size = rows.full * columns.full;
    return sum / (float)(size > 1 ? size : 1);
}

/* Sums down the columns of the window's rows into `line`, then along it. */
VECTORISED static void average_plane(const Pooling *pool, const float *x, float *y, float *line)
{
    for (ptrdiff_t p = 0; p < pool->rows; p++, y += pool->columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t w = 0; w < pool->width; w++)
            line[w] = 0.0f;
        for (ptrdiff_t h = rows.begin; h < rows.end; h++)
            add(line, x + h * pool->width, pool->width, 1);
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            y[q] = 0.0f;
        for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
            const Run run = column_run(pool, v);
            if (pool->stride_w == 1)
                add(y + run.first, line + run.start, run.last - run.first, 1);
            else
                add(y + run.first, line + run.start, run.last - run.first, pool->stride_w);
        }
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            y[q] = mean(y[q], rows, column_span(pool, q));
    }
}

/* What each image column gets from a row of windows into `line`, then that to every row of the windows. */
VECTORISED static void average_gradient_plane(const Pooling *pool, const float *dy, float *dx, float *line)
{
    for (ptrdiff_t i = 0; i < pool->height * pool->width; i++)
        dx[i] = 0.0f;
    for (ptrdiff_t p = 0; p < pool->rows; p++, dy += pool->columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t w = 0; w < pool->width; w++)
            line[w] = 0.0f;
        for (ptrdiff_t q = 0; q < pool->columns; q++) {
            const Span columns = column_span(pool, q);
            const float share = mean(dy[q], rows, columns);
            for (ptrdiff_t w = columns.begin; w < columns.end; w++)
                line[w] += share;
        }
        for (ptrdiff_t h = rows.begin; h < rows.end; h++)
            add(dx + h * pool->width, line, pool->width, 1);
    }
}

typedef void (*PlaneLoop)(const Pooling *pool, const float *given, float *made, float *line);

static void for_planes(const Pooling *pool, PlaneLoop loop, const float *given, ptrdiff_t given_size, float *made,
                       ptrdiff_t made_size)
{
#pragma omp parallel if (pool->planes * (given_size + made_size) > 32768)
    {
        float *line = malloc((size_t)(pool->width + 1) * sizeof *line);
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < pool->planes; plane++)
            loop(pool, given + plane * given_size, made + plane * made_size, line);
        free(line);
    }
}

void ave_pool_forward(const Pooling *pool, const float *x, float *y)
{
    for_planes(pool, average_plane, x, pool->height * pool->width, y, pool->rows * pool->columns);
}

void ave_pool_backward(const Pooling *pool, const float *dy, float *dx)
{
    for_planes(pool, average_gradient_plane, dy, pool->rows * pool->columns, dx, pool->height * pool->width);
}
