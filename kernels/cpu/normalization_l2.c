#include "normalization_l2.h"

#include <math.h>
#include <string.h>

#include "parallel.h"
#include "simd.h"

#define TILE ((ptrdiff_t)256)

VECTORISED static void add_products(const float *a, const float *b, double *sum, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] += (double)a[i] * b[i];
}

VECTORISED static void divide(const float *x, const float *norm, float *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = x[i] / norm[i];
}

VECTORISED static void project(const float *x, const float *norm, const float *share, const float *dy, float *dx,
                               ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = (dy[i] - x[i] * share[i]) / norm[i];
}

void l2_normalize(const float *x, float *y, float *norm, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                  double eps)
{
    const ptrdiff_t tiles = (inner + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t task = 0; task < outer * tiles; task++) {
        const ptrdiff_t start = task % tiles * TILE, item = task / tiles;
        const ptrdiff_t n = inner - start < TILE ? inner - start : TILE, base = item * channels * inner + start;
        float *const length = norm + item * inner + start;
        double sum[TILE];
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t c = 0; c < channels; c++)
            add_products(x + base + c * inner, x + base + c * inner, sum, n);
        for (ptrdiff_t i = 0; i < n; i++)
            length[i] = (float)sqrt(sum[i] + eps);
        for (ptrdiff_t c = 0; c < channels; c++)
            divide(x + base + c * inner, length, y + base + c * inner, n);
    }
}

void l2_normalize_gradient(const float *x, const float *norm, const float *dy, float *dx, ptrdiff_t outer,
                           ptrdiff_t channels, ptrdiff_t inner)
{
    const ptrdiff_t tiles = (inner + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t task = 0; task < outer * tiles; task++) {
        const ptrdiff_t start = task % tiles * TILE, item = task / tiles;
        const ptrdiff_t n = inner - start < TILE ? inner - start : TILE, base = item * channels * inner + start;
        const float *const length = norm + item * inner + start;
        double sum[TILE];
        float share[TILE];
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t c = 0; c < channels; c++)
            add_products(x + base + c * inner, dy + base + c * inner, sum, n);
        for (ptrdiff_t i = 0; i < n; i++)
            share[i] = (float)(sum[i] / ((double)length[i] * length[i]));
        for (ptrdiff_t c = 0; c < channels; c++)
            project(x + base + c * inner, length, share, dy + base + c * inner, dx + base + c * inner, n);
    }
}
