/* Convolution through columns and matrix products: forward and the gradients, for a batch of images.
 *
 * x, dx: [batch, channels, pixels] (image side); y, dy: [batch, outputs, positions] (column side);
 * w, dw: [outputs, channels / groups, taps]. A NULL bias means none.
 */
#ifndef PYDEEPLAB_CONV_ENGINES_H
#define PYDEEPLAB_CONV_ENGINES_H

#include "blas.h"
#include "conv_window.h"

typedef struct {
    Window window;
    ptrdiff_t batch, channels, outputs, groups;
    Blas blas;
} Convolution;

/* The whole columns of one image at a time in `columns`: channels * taps * positions floats (unused by single). */
void conv_forward(const Convolution *conv, const float *x, const float *w, const float *bias, float *y, float *columns,
                  ptrdiff_t size);
void conv_backward_data(const Convolution *conv, const float *dy, const float *w, const float *bias, float *dx,
                        float *columns, ptrdiff_t size);
void conv_backward_weights(const Convolution *conv, const float *x, const float *dy, float *dw, float *columns,
                           ptrdiff_t size);

/* The same in parts that fit into `scratch`, each part by one thread. `size` is the scratch's number of floats: at least
 * 16 * channels / groups * taps, 16 * taps and 256 in this order. */
void conv_forward_strips(const Convolution *conv, const float *x, const float *w, const float *bias, float *y,
                         float *scratch, ptrdiff_t size);
void conv_backward_data_strips(const Convolution *conv, const float *dy, const float *w, const float *bias, float *dx,
                               float *scratch, ptrdiff_t size);
void conv_backward_weights_strips(const Convolution *conv, const float *x, const float *dy, float *dw, float *scratch,
                                  ptrdiff_t size);

/* db[o] += the sum of dy[n, o, :] over n. */
void conv_backward_bias(const float *dy, float *db, ptrdiff_t batch, ptrdiff_t outputs, ptrdiff_t positions);

#endif
