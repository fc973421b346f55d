#include "scoring_counts.h"

enum { SKIP = -1, BAD = -2 };

/* Where a pixel counts, or SKIP, or BAD. */
static ptrdiff_t place(int32_t truth, int32_t predicted, int32_t bin, const int32_t *ignore, ptrdiff_t ignored,
                       ptrdiff_t bins, ptrdiff_t classes)
{
    if (bin < 0 || bin >= bins)
        return SKIP;
    for (ptrdiff_t k = 0; k < ignored; k++)
        if (truth == ignore[k])
            return SKIP;
    if (truth < 0 || truth >= classes || predicted < 0 || predicted >= classes)
        return BAD;
    return (bin * classes + truth) * classes + predicted;
}

/* Neighbours are mostly alike: a run of equal pixels is looked up and added once. */
ptrdiff_t count_pairs(const int32_t *truth, const int32_t *predicted, const int32_t *bin, const int32_t *ignore,
                      int64_t *counts, ptrdiff_t pixels, ptrdiff_t ignored, ptrdiff_t bins, ptrdiff_t classes)
{
    ptrdiff_t first_bad = -1, stop;
    for (ptrdiff_t start = 0; start < pixels; start = stop) {
        const int32_t t = truth[start], p = predicted[start], b = bin ? bin[start] : 0;
        for (stop = start + 1; stop < pixels; stop++)
            if (truth[stop] != t || predicted[stop] != p || (bin && bin[stop] != b))
                break;
        const ptrdiff_t at = place(t, p, b, ignore, ignored, bins, classes);
        if (at >= 0)
            counts[at] += stop - start;
        else if (at == BAD && first_bad < 0)
            first_bad = start;
    }
    return first_bad;
}
