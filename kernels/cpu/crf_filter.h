/* Filtering with a built lattice: values of p columns per point (n rows) and per vertex (m + 1 rows, the last zero). */
#ifndef PYDEEPLAB_CRF_FILTER_H
#define PYDEEPLAB_CRF_FILTER_H

#include <stddef.h>
#include <stdint.h>

/* Splat and blur. The result is in values; other is as large. */
void lattice_gather(const float *x, ptrdiff_t p, const int32_t *start, const int32_t *point, const float *share,
                    const int32_t *neighbour, int k, ptrdiff_t m, float *values, float *other);

void lattice_slice(const float *values, ptrdiff_t p, const int32_t *vertex, const float *weight, ptrdiff_t n, int k,
                   float *y);

/* 1 / (factor sum + 1e-20), or the square root of it. */
void lattice_scale(const float *sum, ptrdiff_t n, float factor, int root, float *scale);

#endif
