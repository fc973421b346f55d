/* Philox4x32-10, the counter-based generator of Salmon et al. 2011. */
#ifndef PYDEEPLAB_DROPOUT_H
#define PYDEEPLAB_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

/* y = x scale where the element's random word exceeds the threshold, else x 0. */
void dropout_map(const float *x, float *y, ptrdiff_t n, uint64_t seed, uint64_t offset, uint32_t threshold, float scale);

#endif
