/* From scores to labels: the winning channel and the confusion matrix. */
#ifndef PYDEEPLAB_LABELS_LOOPS_H
#define PYDEEPLAB_LABELS_LOOPS_H

#include <stddef.h>
#include <stdint.h>

void argmax_channels(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, int value);

/* Add to the c x c counts and return the index of the first bad label, or -1; -2 if memory ran out (nothing added). */
ptrdiff_t confusion_matrix(const float *score, const float *label, const int32_t *ignore, int64_t *confusion,
                           ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored);

#endif
