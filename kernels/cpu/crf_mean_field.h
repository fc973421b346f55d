/* The mean-field update. Rows of p floats hold one value per class and padding: scores of -1e30, probabilities of 0. */
#ifndef PYDEEPLAB_CRF_MEAN_FIELD_H
#define PYDEEPLAB_CRF_MEAN_FIELD_H

#include <stddef.h>
#include <stdint.h>

#define CRF_PADDING -1e30f

void crf_join(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k, int32_t *all_vertex,
              float *all_weight, int t, int column, int base, float factor);

/* 0, or -1 without memory */
int crf_mix(const float *matrix, int c, float *values, ptrdiff_t r, ptrdiff_t p);

void crf_update(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                ptrdiff_t n, ptrdiff_t p, int t);

/* From c planes to n rows, and back; the pixels are the top left region of `width` columns. */
void crf_pack(const float *score, ptrdiff_t c, ptrdiff_t plane, ptrdiff_t full_width, float *packed, ptrdiff_t n,
              ptrdiff_t p, ptrdiff_t width);

void crf_unpack(const float *packed, ptrdiff_t n, ptrdiff_t p, float *score, ptrdiff_t c, ptrdiff_t plane,
                ptrdiff_t full_width, ptrdiff_t width, int log);

#endif
