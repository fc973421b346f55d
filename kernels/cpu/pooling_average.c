#include "pooling_window.h"
#include "simd.h"

static inline void add(float *restrict sum, const float *restrict x, ptrdiff_t n, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n; j++)
        sum[j] += x[j * stride];
}

/* The sizes that sums are divided by: of the rows of one line of windows, and of the columns of each window. Windows
 * without pixels get 1: their sum is 0. */
static inline float rows_size(Span rows) { return (float)(rows.full > 1 ? rows.full : 1); }

static void column_sizes(const Pooling *pool, float *sizes)
{
    for (ptrdiff_t q = 0; q < pool->columns; q++) {
        const ptrdiff_t full = column_span(pool, q).full;
        sizes[q] = (float)(full > 1 ? full : 1);
    }
}

/* Memory of one thread: a line of the image, a line of windows, and the windows' sizes. */
typedef struct {
    float *pixels, *windows, *sizes;
} Lines;

/* Sums down the columns of the windows' rows into a line, then along it. */
VECTORISED static void average_plane(const Pooling *pool, const float *x, float *y, Lines lines)
{
    for (ptrdiff_t p = 0; p < pool->rows; p++, y += pool->columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t w = 0; w < pool->width; w++)
            lines.pixels[w] = 0.0f;
        for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
            add(lines.pixels, x + h * pool->width, pool->width, 1);
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            y[q] = 0.0f;
        for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
            const Run run = column_run(pool, v);
            if (pool->stride_w == 1)
                add(y + run.first, lines.pixels + run.start, run.last - run.first, 1);
            else
                add(y + run.first, lines.pixels + run.start, run.last - run.first, pool->stride_w);
        }
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            y[q] /= rows_size(rows) * lines.sizes[q];
    }
}

/* What each image column gets from a line of windows, then that to every row of the windows. */
VECTORISED static void average_gradient_plane(const Pooling *pool, const float *dy, float *dx, Lines lines)
{
    for (ptrdiff_t i = 0; i < pool->height * pool->width; i++)
        dx[i] = 0.0f;
    for (ptrdiff_t p = 0; p < pool->rows; p++, dy += pool->columns) {
        const Span rows = row_span(pool, p);
        for (ptrdiff_t w = 0; w < pool->width; w++)
            lines.pixels[w] = 0.0f;
        for (ptrdiff_t q = 0; q < pool->columns; q++)
            lines.windows[q] = dy[q] / (rows_size(rows) * lines.sizes[q]);
        for (ptrdiff_t v = 0; v < pool->kernel_w; v++) {
            const Run run = column_run(pool, v);
            if (pool->stride_w == 1)
                add(lines.pixels + run.start, lines.windows + run.first, run.last - run.first, 1);
            else
                for (ptrdiff_t j = 0; j < run.last - run.first; j++)
                    lines.pixels[run.start + j * pool->stride_w] += lines.windows[run.first + j];
        }
        for (ptrdiff_t h = rows.begin; h < rows.end; h += pool->dilation_h)
            add(dx + h * pool->width, lines.pixels, pool->width, 1);
    }
}

typedef void (*PlaneLoop)(const Pooling *pool, const float *given, float *made, Lines lines);

static int for_planes(const Pooling *pool, PlaneLoop loop, const float *given, ptrdiff_t given_size, float *made,
                      ptrdiff_t made_size)
{
    int status = 0;
#pragma omp parallel if (pool->planes * (given_size + made_size) > 32768) reduction(min : status)
    {
        float *memory = malloc((size_t)(pool->width + 2 * pool->columns) * sizeof *memory);
        const Lines lines = {memory, memory + pool->width, memory + pool->width + pool->columns};
        if (memory)
            column_sizes(pool, lines.sizes);
        else
            status = -1;
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < pool->planes; plane++)
            if (memory)
                loop(pool, given + plane * given_size, made + plane * made_size, lines);
        free(memory);
    }
    return status;
}

int ave_pool_forward(const Pooling *pool, const float *x, float *y)
{
    return for_planes(pool, average_plane, x, pool->height * pool->width, y, pool->rows * pool->columns);
}

int ave_pool_backward(const Pooling *pool, const float *dy, float *dx)
{
    return for_planes(pool, average_gradient_plane, dy, pool->rows * pool->columns, dx, pool->height * pool->width);
}
