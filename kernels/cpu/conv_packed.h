/* Convolution as a matrix product whose columns are made while they are packed: no column buffer exists.
 *
 * Threads split the pixels of the maps, so that no sum is split, nor depends on the number of threads.
 */
#ifndef PYDEEPLAB_CONV_PACKED_H
#define PYDEEPLAB_CONV_PACKED_H

#include "conv_pictures.h"
#include "epilogue.h"

/* Floats of scratch that the pass needs. */
ptrdiff_t conv_packed_size(const Pictures *pictures);

/* w: [outputs, channels / groups, taps], or, if `adjoint`, that of the convolution whose adjoint this is: from its outputs to
 * its channels. Each picture's `other` is added before the epilogue's act. */
void conv_forward_packed(const Pictures *pictures, const float *w, int adjoint, Epilogue epilogue, float *scratch);

#endif
