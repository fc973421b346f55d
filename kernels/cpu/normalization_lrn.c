#include "normalization_lrn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "simd.h"

#define TILE ((ptrdiff_t)512)

/* s^-beta; the exponents of the usual nets need no logarithm. */
static inline float inverse_power(float s, float beta)
{
    if (beta == 0.75f) {
        const float root = sqrtf(s);
        return 1 / (root * sqrtf(root));
    }
    return powf(s, -beta);
}

VECTORISED static void add_squares(const float *x, float *sum, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] += x[i] * x[i];
}

VECTORISED static void add_ratios(const float *dy, const float *y, const float *s, float *sum, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] += dy[i] * y[i] / s[i];
}

VECTORISED static void add_row(const float *x, float *sum, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* sum holds the window's sum of squares. */
VECTORISED static void finish(const float *x, const float *sum, float *y, float *s, ptrdiff_t n, struct lrn p)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        s[i] = p.k + p.factor * sum[i];
        y[i] = x[i] * inverse_power(s[i], p.beta);
    }
}

/* sum holds the window's sum of dy y / s. */
VECTORISED static void finish_gradient(const float *x, const float *s, const float *dy, const float *sum, float *dx,
                                       ptrdiff_t n, struct lrn p)
{
    const float slope = 2 * p.factor * p.beta;
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * inverse_power(s[i], p.beta) - slope * x[i] * sum[i];
}

static inline ptrdiff_t window_begin(ptrdiff_t at, ptrdiff_t size)
{
    const ptrdiff_t begin = at - (size - 1) / 2;
    return begin < 0 ? 0 : begin;
}

static inline ptrdiff_t window_end(ptrdiff_t at, ptrdiff_t size, ptrdiff_t count)
{
    const ptrdiff_t end = at - (size - 1) / 2 + size;
    return end > count ? count : end;
}

/* Each task is one tile of positions of one item and one channel. */
void lrn_across(const float *x, float *y, float *s, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, struct lrn p)
{
    const ptrdiff_t tiles = (inner + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t task = 0; task < outer * tiles * channels; task++) {
        const ptrdiff_t c = task % channels, start = task / channels % tiles * TILE, item = task / channels / tiles;
        const ptrdiff_t n = inner - start < TILE ? inner - start : TILE, base = item * channels * inner + start;
        float sum[TILE];
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t near = window_begin(c, p.size); near < window_end(c, p.size, channels); near++)
            add_squares(x + base + near * inner, sum, n);
        finish(x + base + c * inner, sum, y + base + c * inner, s + base + c * inner, n, p);
    }
}

void lrn_across_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx, ptrdiff_t outer,
                         ptrdiff_t channels, ptrdiff_t inner, struct lrn p)
{
    const ptrdiff_t tiles = (inner + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t task = 0; task < outer * tiles * channels; task++) {
        const ptrdiff_t c = task % channels, start = task / channels % tiles * TILE, item = task / channels / tiles;
        const ptrdiff_t n = inner - start < TILE ? inner - start : TILE, base = item * channels * inner + start;
        const ptrdiff_t here = base + c * inner;
        float sum[TILE];
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t near = window_begin(c, p.size); near < window_end(c, p.size, channels); near++) {
            const ptrdiff_t there = base + near * inner;
            add_ratios(dy + there, y + there, s + there, sum, n);
        }
        finish_gradient(x + here, s + here, dy + here, sum, dx + here, n, p);
    }
}

/* values[height][width] becomes its box sum; rows is scratch of height*width. */
static void box_sum(float *values, float *rows, ptrdiff_t height, ptrdiff_t width, ptrdiff_t size)
{
    for (ptrdiff_t h = 0; h < height; h++)
        for (ptrdiff_t w = 0; w < width; w++) {
            float sum = 0;
            for (ptrdiff_t near = window_begin(w, size); near < window_end(w, size, width); near++)
                sum += values[h * width + near];
            rows[h * width + w] = sum;
        }
    memset(values, 0, (size_t)(height * width) * sizeof *values);
    for (ptrdiff_t h = 0; h < height; h++)
        for (ptrdiff_t near = window_begin(h, size); near < window_end(h, size, height); near++)
            add_row(rows + near * width, values + h * width, width);
}

int lrn_within(const float *x, float *y, float *s, ptrdiff_t planes, ptrdiff_t height, ptrdiff_t width, struct lrn p)
{
    const ptrdiff_t area = height * width;
    int status = 0;
#pragma omp parallel if (planes > 1 && planes * area > GRAIN) reduction(min : status)
    {
        float *sum = malloc(2 * (size_t)area * sizeof *sum);
        if (!sum)
            status = -1;
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < planes; plane++) {
            if (!sum)
                continue;
            memset(sum, 0, (size_t)area * sizeof *sum);
            add_squares(x + plane * area, sum, area);
            box_sum(sum, sum + area, height, width, p.size);
            finish(x + plane * area, sum, y + plane * area, s + plane * area, area, p);
        }
        free(sum);
    }
    return status;
}

int lrn_within_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx, ptrdiff_t planes,
                        ptrdiff_t height, ptrdiff_t width, struct lrn p)
{
    const ptrdiff_t area = height * width;
    int status = 0;
#pragma omp parallel if (planes > 1 && planes * area > GRAIN) reduction(min : status)
    {
        float *sum = malloc(2 * (size_t)area * sizeof *sum);
        if (!sum)
            status = -1;
#pragma omp for schedule(static)
        for (ptrdiff_t plane = 0; plane < planes; plane++) {
            const ptrdiff_t at = plane * area;
            if (!sum)
                continue;
            memset(sum, 0, (size_t)area * sizeof *sum);
            add_ratios(dy + at, y + at, s + at, sum, area);
            box_sum(sum, sum + area, height, width, p.size);
            finish_gradient(x + at, s + at, dy + at, sum, dx + at, area, p);
        }
        free(sum);
    }
    return status;
}
