/* The gradient of a convolution's weights as one product over the pixels of all images, whose factors are packed by the
 * threads that need them.
 *
 * The product's terms are pixels of the one side and what the windows see of the other: either the gradients' positions
 * and columns of the image, or, `turned`, the image's pixels and columns of the gradients: at stride 1 these are the
 * windows of the adjoint convolution, turned by half a turn. The latter is for few outputs, of which there are fewer
 * columns to make, and leaves out taps that lie outside of the map.
 *
 * `halves`: seven products of halves in place of eight (Strassen 1969; Winograd 1971).
 */
#ifndef PYDEEPLAB_PRODUCT_H
#define PYDEEPLAB_PRODUCT_H

#include "conv_window.h"

typedef struct {
    Window window; /* of the columns */
    ptrdiff_t batch, channels, outputs;
    int turned, halves;
} Product;

/* Floats of scratch that are needed. */
ptrdiff_t product_size(const Product *product);

/* dw [outputs, channels, taps] += the gradient; image: [batch, channels, pixels], gradient: [batch, outputs, positions]. */
void product_backward_weights(const Product *product, const float *image, const float *gradient, float *dw, float *scratch);

#endif
