/* Convolution as a matrix product whose columns are made while they are packed: no column buffer exists.
 *
 * Threads split the pixels of the maps, so that no sum is split, nor depends on the number of threads.
 */
#ifndef PYDEEPLAB_CONV_PACKED_H
#define PYDEEPLAB_CONV_PACKED_H

#include "conv_engines.h"
#include "epilogue.h"

/* Floats of scratch that the pass needs. */
ptrdiff_t conv_packed_size(const Convolution *conv);

/* x: [batch, channels, pixels], w: [outputs, channels / groups, taps], y: [batch, outputs, positions]. `other`, which may be
 * NULL or y, has y's shape and is added before the epilogue's act. */
void conv_forward_packed(const Convolution *conv, const float *x, const float *w, Epilogue epilogue, const float *other,
                         float *y, float *scratch);

#endif
