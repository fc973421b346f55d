/* Convolution as a matrix product of halves: seven products take the place of eight.
 *
 * Strassen's algorithm in Winograd's form (15 additions), once: outputs, terms and positions are cut in two. The sums of
 * halves are made while weights and columns are packed, and the products are added up when values are stored.
 */
#ifndef PYDEEPLAB_CONV_STRASSEN_H
#define PYDEEPLAB_CONV_STRASSEN_H

#include "conv_pictures.h"
#include "epilogue.h"

/* As in conv_packed.h. */
ptrdiff_t conv_strassen_size(const Pictures *pictures);
void conv_forward_strassen(const Pictures *pictures, const float *w, int adjoint, Epilogue epilogue, float *scratch);

#endif
