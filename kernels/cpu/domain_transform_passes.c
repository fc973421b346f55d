#include "domain_transform_passes.h"

#include <math.h>
#include <string.h>

#include "simd.h"

enum { PASSES = 4, ROWS = 8, COLUMNS = 64 };
enum { RIGHT, LEFT, DOWN, UP };

/* One plane's part that is filtered: height x width of rows that are stride apart. */
typedef struct {
    ptrdiff_t height, width, stride;
} extent;

static double slope(const transform_shape *s, ptrdiff_t i)
{
    const double sigma = s->spatial_sigma * sqrt(3.0) * pow(2.0, (double)(s->iterations - 1 - i)) / sqrt(pow(4.0, (double)s->iterations) - 1);
    return -sqrt(2.0) / sigma;
}

/* The weights of all iterations of one item. */
static void fill_weights(const float *g, float *weights, const transform_shape *s, extent e)
{
    const float ratio = s->spatial_sigma / s->range_sigma;
#pragma omp parallel for schedule(static) if (e.height * e.width > 4096)
    for (ptrdiff_t k = 0; k < s->iterations * e.height; k++) {
        const ptrdiff_t i = k / e.height, row = k % e.height * e.stride;
        const float steep = (float)slope(s, i);
        float *w = weights + i * s->h * s->w + row;
        for (ptrdiff_t x = 0; x < e.width; x++) {
            w[x] = expf(steep * (1 + g[row + x] * ratio));
            if (s->clamp)
                w[x] = w[x] < s->min_weight ? s->min_weight : w[x] > 1 ? 1 : w[x];
        }
    }
}

/* Along rows the recursion is a chain; several rows side by side keep the processor busy. */
static void filter_rows(float *y, const float *w, extent e, ptrdiff_t begin, ptrdiff_t end, int direction)
{
    for (ptrdiff_t top = begin; top < end; top += ROWS) {
        const ptrdiff_t rows = end - top < ROWS ? end - top : ROWS;
        float *lines = y + top * e.stride;
        const float *edges = w + top * e.stride;
        if (direction == RIGHT)
            for (ptrdiff_t x = 1; x < e.width; x++)
                for (ptrdiff_t r = 0; r < rows; r++) {
                    float *at = lines + r * e.stride + x;
                    at[0] += edges[r * e.stride + x] * (at[-1] - at[0]);
                }
        else
            for (ptrdiff_t x = e.width - 2; x >= 0; x--)
                for (ptrdiff_t r = 0; r < rows; r++) {
                    float *at = lines + r * e.stride + x;
                    at[0] += edges[r * e.stride + x + 1] * (at[1] - at[0]);
                }
    }
}

VECTORISED static void filter_line(float *here, const float *before, const float *w, ptrdiff_t count)
{
    for (ptrdiff_t x = 0; x < count; x++)
        here[x] += w[x] * (before[x] - here[x]);
}

static void filter_columns(float *y, const float *w, extent e, ptrdiff_t begin, ptrdiff_t end, int direction)
{
    if (direction == DOWN)
        for (ptrdiff_t i = 1; i < e.height; i++)
            filter_line(y + i * e.stride + begin, y + (i - 1) * e.stride + begin, w + i * e.stride + begin, end - begin);
    else
        for (ptrdiff_t i = e.height - 2; i >= 0; i--)
            filter_line(y + i * e.stride + begin, y + (i + 1) * e.stride + begin, w + (i + 1) * e.stride + begin, end - begin);
}

static extent extent_of(const transform_shape *s, const float *size)
{
    return (extent){(ptrdiff_t)size[0], (ptrdiff_t)size[1], s->w};
}

ptrdiff_t forward_scratch(const transform_shape *s)
{
    return s->iterations * s->h * s->w;
}

void domain_transform_forward(const float *x, const float *g, const float *size, float *y, const transform_shape *s, float *scratch)
{
    const ptrdiff_t plane = s->h * s->w;
    for (ptrdiff_t n = 0; n < s->n; n++) {
        const extent e = extent_of(s, size + 2 * n);
        fill_weights(g + n * plane, scratch, s, e);
#pragma omp parallel for schedule(static) if (s->c * plane > 4096)
        for (ptrdiff_t c = 0; c < s->c; c++) {
            float *out = y + (n * s->c + c) * plane;
            memcpy(out, x + (n * s->c + c) * plane, (size_t)plane * sizeof *out);
            for (ptrdiff_t i = 0; i < s->iterations; i++) {
                const float *w = scratch + i * plane;
                filter_rows(out, w, e, 0, e.height, RIGHT);
                filter_rows(out, w, e, 0, e.height, LEFT);
                filter_columns(out, w, e, 0, e.width, DOWN);
                filter_columns(out, w, e, 0, e.width, UP);
            }
        }
    }
}

/* The reverse of filter_rows: before and after are the plane's states around that pass, of which
 * (after[neighbour] - before) is what the weight multiplied. */
static void reverse_rows(float *d, float *dw, const float *w, const float *before, const float *after, extent e,
                         ptrdiff_t begin, ptrdiff_t end, int direction)
{
    for (ptrdiff_t top = begin; top < end; top += ROWS) {
        const ptrdiff_t rows = end - top < ROWS ? end - top : ROWS;
        for (ptrdiff_t step = 1; step < e.width; step++) {
            const ptrdiff_t x = direction == RIGHT ? e.width - step : step - 1, side = direction == RIGHT ? -1 : 1;
            const ptrdiff_t edge = direction == RIGHT ? 0 : 1;
            for (ptrdiff_t r = 0; r < rows; r++) {
                const ptrdiff_t at = (top + r) * e.stride + x;
                dw[at + edge] += d[at] * (after[at + side] - before[at]);
                d[at + side] += w[at + edge] * d[at];
                d[at] *= 1 - w[at + edge];
            }
        }
    }
}

VECTORISED static void reverse_line(float *d, float *beside, float *dw, const float *w, const float *before,
                                    const float *after, ptrdiff_t count)
{
    for (ptrdiff_t x = 0; x < count; x++) {
        dw[x] += d[x] * (after[x] - before[x]);
        beside[x] += w[x] * d[x];
        d[x] *= 1 - w[x];
    }
}

static void reverse_columns(float *d, float *dw, const float *w, const float *before, const float *after, extent e,
                            ptrdiff_t begin, ptrdiff_t end, int direction)
{
    for (ptrdiff_t step = 1; step < e.height; step++) {
        const ptrdiff_t i = direction == DOWN ? e.height - step : step - 1;
        const ptrdiff_t at = i * e.stride + begin, side = direction == DOWN ? -e.stride : e.stride;
        const ptrdiff_t edge = direction == DOWN ? at : at + e.stride;
        reverse_line(d + at, d + at + side, dw + edge, w + edge, before + at, after + at + side, end - begin);
    }
}

ptrdiff_t backward_scratch(const transform_shape *s)
{
    return (2 * s->iterations + PASSES * s->iterations + 1) * s->h * s->w;
}

/* Run one pass over all rows or columns, in parallel; with d (a gradient) the reverse of it. */
static void run_pass(float *state, const float *before, float *d, float *dw, const float *w, extent e, int direction)
{
    const int along_rows = direction == RIGHT || direction == LEFT;
    const ptrdiff_t total = along_rows ? e.height : e.width, step = along_rows ? ROWS : COLUMNS;
#pragma omp parallel for schedule(static) if (e.height * e.width > 16384)
    for (ptrdiff_t begin = 0; begin < total; begin += step) {
        const ptrdiff_t end = begin + step < total ? begin + step : total;
        if (along_rows && d)
            reverse_rows(d, dw, w, before, state, e, begin, end, direction);
        else if (along_rows)
            filter_rows(state, w, e, begin, end, direction);
        else if (d)
            reverse_columns(d, dw, w, before, state, e, begin, end, direction);
        else
            filter_columns(state, w, e, begin, end, direction);
    }
}

/* Channels follow each other, so that the gradient of the weights is summed in one order; each pass is parallel. */
void domain_transform_backward(const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
                               const transform_shape *s, float *scratch)
{
    const ptrdiff_t plane = s->h * s->w, passes = s->iterations * PASSES;
    float *weights = scratch, *dw = weights + s->iterations * plane, *states = dw + s->iterations * plane;
    for (ptrdiff_t n = 0; n < s->n; n++) {
        const extent e = extent_of(s, size + 2 * n);
        fill_weights(g + n * plane, weights, s, e);
        memset(dw, 0, (size_t)(s->iterations * plane) * sizeof *dw);
        for (ptrdiff_t c = 0; c < s->c; c++) {
            float *d = dx + (n * s->c + c) * plane;
            memcpy(states, x + (n * s->c + c) * plane, (size_t)plane * sizeof *states);
            memcpy(d, dy + (n * s->c + c) * plane, (size_t)plane * sizeof *d);
            for (ptrdiff_t k = 0; k < passes; k++) {
                memcpy(states + (k + 1) * plane, states + k * plane, (size_t)plane * sizeof *states);
                run_pass(states + (k + 1) * plane, NULL, NULL, NULL, weights + k / PASSES * plane, e, (int)(k % PASSES));
            }
            for (ptrdiff_t k = passes - 1; k >= 0; k--)
                run_pass(states + (k + 1) * plane, states + k * plane, d, dw + k / PASSES * plane,
                         weights + k / PASSES * plane, e, (int)(k % PASSES));
        }
        float *out = dg + n * plane;
        memset(out, 0, (size_t)plane * sizeof *out);
        for (ptrdiff_t i = 0; i < s->iterations; i++) {
            const float factor = (float)(slope(s, i) * s->spatial_sigma / s->range_sigma);
            for (ptrdiff_t row = 0; row < e.height * e.stride; row += e.stride)
                for (ptrdiff_t k = row; k < row + e.width; k++)
                    out[k] += factor * dw[i * plane + k] * weights[i * plane + k];
        }
    }
}
