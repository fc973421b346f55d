/* The domain transform of n x c planes of h x w, and its gradient. */
#ifndef PYDEEPLAB_DOMAIN_TRANSFORM_PASSES_H
#define PYDEEPLAB_DOMAIN_TRANSFORM_PASSES_H

#include <stddef.h>

typedef struct {
    ptrdiff_t n, c, h, w, iterations;
    float spatial_sigma, range_sigma, min_weight;
    int clamp;
} transform_shape;

/* Floats of scratch memory needed by the two functions. */
ptrdiff_t forward_scratch(const transform_shape *shape);
ptrdiff_t backward_scratch(const transform_shape *shape);

/* size: each item's real height and width, already known to fit. */
void domain_transform_forward(const float *x, const float *g, const float *size, float *y, const transform_shape *shape,
                              float *scratch);
void domain_transform_backward(const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
                               const transform_shape *shape, float *scratch);

#endif
