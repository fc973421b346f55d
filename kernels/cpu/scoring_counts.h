/* Counting pairs of labels. */
#ifndef PYDEEPLAB_SCORING_COUNTS_H
#define PYDEEPLAB_SCORING_COUNTS_H

#include <stddef.h>
#include <stdint.h>

/* Add to counts[bins][classes][classes] and return the index of the first pixel with a bad label, or -1. */
ptrdiff_t count_pairs(const int32_t *truth, const int32_t *predicted, const int32_t *bin, const int32_t *ignore,
                      int64_t *counts, ptrdiff_t pixels, ptrdiff_t ignored, ptrdiff_t bins, ptrdiff_t classes);

#endif
