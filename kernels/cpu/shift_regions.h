/* Regions of an image: pixels of which the same taps reach an output. */
#ifndef PYDEEPLAB_SHIFT_REGIONS_H
#define PYDEEPLAB_SHIFT_REGIONS_H

#include "shift.h"

/* Pixels begin..end of an axis, which taps first..last need. */
typedef struct {
    ptrdiff_t begin, end, first, last;
} Segment;

/* The most segments that an axis has. */
static inline ptrdiff_t most_segments(const ShiftAxis *axis) { return 2 * axis->taps + 1; }

/* Cut an axis; pixels that no tap needs are left out. Returns the number of segments. */
ptrdiff_t cut_axis(const ShiftAxis *axis, Segment *segments);

#endif
