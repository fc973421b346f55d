/* Convolution with kernels of 3 x 3 taps at stride 1 by Winograd's algorithm: fewer multiplications per output.
 *
 * Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016. Tiles of the image and filters are
 * transformed, multiplied value by value (a matrix product per value, over the channels), and transformed back.
 */
#ifndef PYDEEPLAB_WINOGRAD_H
#define PYDEEPLAB_WINOGRAD_H

#include "epilogue.h"
#include "winograd_axis.h"

/* x: [batch, channels, y.size, x.size] to [batch, outputs, y.out, x.out]; both axes have the same m. */
typedef struct {
    ptrdiff_t batch, channels, outputs;
    Axis y, x;
} Winograd;

/* Images of one size and the maps that are made of them. What follows the maps is the pass's own. */
typedef struct {
    Winograd problem;
    const float *images;
    float *maps;
    ptrdiff_t first_row, rows;           /* of tiles, numbered batch after batch */
    int32_t *row_output, *column_output; /* the first output of each row and column of tiles of an image */
} Batch;

/* Floats of scratch without which winograd_forward and winograd_backward_weights cannot run; with more they are faster. */
ptrdiff_t winograd_least(Batch *batches, ptrdiff_t count);
ptrdiff_t winograd_gradient_least(const Winograd *problem);

/* Batches that differ in number and size of their images only. `adjoint`: w is [channels, outputs, 3, 3], and turned by half
 * a turn; otherwise [outputs, channels, 3, 3]. */
void winograd_forward(Batch *batches, ptrdiff_t count, const float *w, int adjoint, Epilogue epilogue, float *scratch,
                      ptrdiff_t size);

/* dw += the gradient of w [outputs, channels, 3, 3]. */
void winograd_backward_weights(const Winograd *problem, const float *image, const float *gradient, float *dw, float *scratch,
                               ptrdiff_t size);

#endif
