#include "domain_transform_passes.h"

#include <math.h>
#include <string.h>

#include "simd.h"

enum { PASSES = 4, ROWS = 8, GROUPS = 8 };
enum { RIGHT, LEFT, DOWN, UP };

/* One plane's part that is filtered: height x width of rows that are stride apart. */
typedef struct {
    ptrdiff_t height, width, stride;
} extent;

static double slope(const transform_shape *s, ptrdiff_t i)
{
    const double rest = (double)(s->iterations - 1 - i), all = (double)s->iterations;
    const double sigma = s->spatial_sigma * sqrt(3.0) * pow(2.0, rest) / sqrt(pow(4.0, all) - 1);
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
static void filter_rows(float *y, const float *w, extent e, int direction)
{
    for (ptrdiff_t top = 0; top < e.height; top += ROWS) {
        const ptrdiff_t rows = e.height - top < ROWS ? e.height - top : ROWS;
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

static void filter_columns(float *y, const float *w, extent e, int direction)
{
    if (direction == DOWN)
        for (ptrdiff_t i = 1; i < e.height; i++)
            filter_line(y + i * e.stride, y + (i - 1) * e.stride, w + i * e.stride, e.width);
    else
        for (ptrdiff_t i = e.height - 2; i >= 0; i--)
            filter_line(y + i * e.stride, y + (i + 1) * e.stride, w + (i + 1) * e.stride, e.width);
}

static extent extent_of(const transform_shape *s, const float *size)
{
    return (extent){(ptrdiff_t)size[0], (ptrdiff_t)size[1], s->w};
}

ptrdiff_t forward_scratch(const transform_shape *s)
{
    return s->iterations * s->h * s->w;
}

void domain_transform_forward(const float *x, const float *g, const float *size, float *y, const transform_shape *s,
                              float *scratch)
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
                filter_rows(out, w, e, RIGHT);
                filter_rows(out, w, e, LEFT);
                filter_columns(out, w, e, DOWN);
                filter_columns(out, w, e, UP);
            }
        }
    }
}

/* The reverse of filter_rows: before and after are the plane's states around that pass, of which
 * (after[neighbour] - before) is what the weight multiplied. */
static void reverse_rows(float *d, float *dw, const float *w, const float *before, const float *after, extent e,
                         int direction)
{
    for (ptrdiff_t top = 0; top < e.height; top += ROWS) {
        const ptrdiff_t rows = e.height - top < ROWS ? e.height - top : ROWS;
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
                            int direction)
{
    for (ptrdiff_t step = 1; step < e.height; step++) {
        const ptrdiff_t i = direction == DOWN ? e.height - step : step - 1;
        const ptrdiff_t at = i * e.stride, side = direction == DOWN ? -e.stride : e.stride;
        const ptrdiff_t edge = direction == DOWN ? at : at + e.stride;
        reverse_line(d + at, d + at + side, dw + edge, w + edge, before + at, after + at + side, e.width);
    }
}

/* Channels are dealt to groups, whose number does not depend on that of the threads, so that the gradient of the
 * weights is always summed in the same order. */
static ptrdiff_t groups_of(const transform_shape *s)
{
    return s->c < GROUPS ? s->c : GROUPS;
}

/* What one group needs: the gradient of all iterations' weights, and the states around all passes. */
static ptrdiff_t group_planes(const transform_shape *s)
{
    return s->iterations + PASSES * s->iterations + 1;
}

ptrdiff_t backward_scratch(const transform_shape *s)
{
    return (s->iterations + groups_of(s) * group_planes(s)) * s->h * s->w;
}

/* One channel: run the filter again, keeping what each pass leaves, then reverse the passes. d comes in as dy. */
static void reverse_channel(const float *x, float *d, float *dw, const float *weights, float *states,
                            const transform_shape *s, extent e)
{
    const ptrdiff_t plane = s->h * s->w, passes = s->iterations * PASSES;
    memcpy(states, x, (size_t)plane * sizeof *states);
    for (ptrdiff_t k = 0; k < passes; k++) {
        const float *w = weights + k / PASSES * plane;
        float *after = states + (k + 1) * plane;
        const int direction = (int)(k % PASSES);
        memcpy(after, after - plane, (size_t)plane * sizeof *after);
        if (direction == RIGHT || direction == LEFT)
            filter_rows(after, w, e, direction);
        else
            filter_columns(after, w, e, direction);
    }
    for (ptrdiff_t k = passes - 1; k >= 0; k--) {
        const float *w = weights + k / PASSES * plane, *before = states + k * plane;
        float *change = dw + k / PASSES * plane;
        const int direction = (int)(k % PASSES);
        if (direction == RIGHT || direction == LEFT)
            reverse_rows(d, change, w, before, before + plane, e, direction);
        else
            reverse_columns(d, change, w, before, before + plane, e, direction);
    }
}

/* The gradient of one row of edges, from that of the weights of all groups. */
static void edge_gradient(const float *weights, const float *groups, float *dg, const transform_shape *s, ptrdiff_t row,
                          ptrdiff_t width)
{
    const ptrdiff_t plane = s->h * s->w;
    for (ptrdiff_t i = 0; i < s->iterations; i++) {
        const float factor = (float)(slope(s, i) * s->spatial_sigma / s->range_sigma);
        for (ptrdiff_t k = row * s->w; k < row * s->w + width; k++) {
            float dw = 0;
            for (ptrdiff_t group = 0; group < groups_of(s); group++)
                dw += groups[group * group_planes(s) * plane + i * plane + k];
            dg[k] += factor * dw * weights[i * plane + k];
        }
    }
}

void domain_transform_backward(const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
                               const transform_shape *s, float *scratch)
{
    const ptrdiff_t plane = s->h * s->w, count = groups_of(s);
    float *weights = scratch, *groups = scratch + s->iterations * plane;
    memset(dg, 0, (size_t)(s->n * plane) * sizeof *dg);
    for (ptrdiff_t n = 0; n < s->n; n++) {
        const extent e = extent_of(s, size + 2 * n);
        fill_weights(g + n * plane, weights, s, e);
#pragma omp parallel for schedule(dynamic) if (s->c * plane > 4096)
        for (ptrdiff_t group = 0; group < count; group++) {
            float *dw = groups + group * group_planes(s) * plane, *states = dw + s->iterations * plane;
            memset(dw, 0, (size_t)(s->iterations * plane) * sizeof *dw);
            for (ptrdiff_t c = group; c < s->c; c += count) {
                const ptrdiff_t offset = (n * s->c + c) * plane;
                memcpy(dx + offset, dy + offset, (size_t)plane * sizeof *dx);
                reverse_channel(x + offset, dx + offset, dw, weights, states, s, e);
            }
        }
#pragma omp parallel for schedule(static) if (s->c * plane > 4096)
        for (ptrdiff_t row = 0; row < e.height; row++)
            edge_gradient(weights, groups, dg + n * plane, s, row, e.width);
    }
}
