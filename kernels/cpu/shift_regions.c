#include "shift_regions.h"

/* The taps that bring pixel `at` to an output: at + pad - rate tap in 0..out. */
static Segment taps_of(const ShiftAxis *axis, ptrdiff_t at)
{
    const ptrdiff_t last = (at + axis->pad) / axis->rate + 1, before = at + axis->pad - axis->out;
    return (Segment){at, at + 1, before < 0 ? 0 : before / axis->rate + 1, last < axis->taps ? last : axis->taps};
}

ptrdiff_t cut_axis(const ShiftAxis *axis, Segment *segments)
{
    ptrdiff_t found = 0;
    for (ptrdiff_t at = 0; at < axis->size; at++) {
        const Segment one = taps_of(axis, at);
        Segment *open = found ? segments + found - 1 : NULL;
        if (open && open->end == at && open->first == one.first && open->last == one.last)
            open->end++;
        else if (one.first < one.last)
            segments[found++] = one;
    }
    return found;
}
