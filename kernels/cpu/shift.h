/* Convolution at stride 1 as one product of all taps' weights and the image itself, whose rows are shifted and added.
 *
 * Every tap's share of an output is a product of weights and pixels that are some rows and columns away. Pixels of which
 * the same taps stay within the map are a region: each pixel is read once, and multiplied by these taps only.
 */
#ifndef PYDEEPLAB_SHIFT_H
#define PYDEEPLAB_SHIFT_H

#include <stddef.h>

#include "epilogue.h"

typedef struct {
    ptrdiff_t size, out, pad, rate, taps;
} ShiftAxis;

/* x: [batch, channels, y.size, x.size] to [batch, outputs, y.out, x.out]. */
typedef struct {
    ptrdiff_t batch, channels, outputs;
    ShiftAxis y, x;
} Shift;

/* Floats of scratch without which shift_forward cannot run; with more it is faster. */
ptrdiff_t shift_least(const Shift *problem);

/* w: [outputs, channels, y.taps, x.taps]. */
void shift_forward(const Shift *problem, const float *image, const float *w, Epilogue epilogue, float *made, float *scratch,
                   ptrdiff_t size);

#endif
