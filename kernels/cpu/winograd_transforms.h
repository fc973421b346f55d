/* Winograd's transforms of tiles for kernels of 3 x 3 taps, on eight tiles (or filters) at a time.
 *
 * An output tile of m x m needs an input tile of n x n, n = m + 2. All results are stored value by value, eight floats
 * each, `step` floats apart: value (i, j) of a transformed tile at (i n + j) step.
 */
#ifndef PYDEEPLAB_WINOGRAD_TRANSFORMS_H
#define PYDEEPLAB_WINOGRAD_TRANSFORMS_H

#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

enum { TAPS = 9 };

/* Where eight tiles lie in a plane: sample (i, j) of a tile at offset[lane] + i line + j rate. At rate 1 eight floats of
 * each row are read or written, lane after lane. Otherwise tiles may lie side by side, `together` at a time (1, 2, 4 or 8),
 * which makes it faster. */
typedef struct {
    const int32_t *offset;
    ptrdiff_t line, rate;
    int together;
} Spots;

typedef struct {
    /* Input tiles. */
    void (*input)(const float *plane, Spots spots, float *to, ptrdiff_t step);
    /* Sums of products back to pixels. */
    void (*output)(const float *from, ptrdiff_t step, float *plane, Spots spots);
    /* Filters of TAPS taps, times a factor each; `turned` by half a turn. */
    void (*filter)(const float *const *filters, const float *factors, int turned, float *to, ptrdiff_t step);
    /* Gradients of output tiles, read like input tiles. */
    void (*output_gradient)(const float *plane, Spots spots, float *to, ptrdiff_t step);
    /* Gradients of transformed filters back to taps, filter after filter. */
    void (*filter_gradient)(const float *from, ptrdiff_t step, float *taps);
} Transforms;

/* The transforms for output tiles of m x m, m one of 2, 3, 4 and 6; NULL for others. */
const Transforms *winograd_transforms(int m);

#endif
