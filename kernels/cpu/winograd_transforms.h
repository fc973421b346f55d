/* Winograd's transforms of tiles for kernels of 3 x 3 taps, on eight tiles (or filters) at a time.
 *
 * An output tile of m x m needs an input tile of n x n, n = m + 2. All results are stored value by value, eight floats
 * each, `step` floats apart: value (i, j) of a transformed tile at (i n + j) step.
 */
#ifndef PYDEEPLAB_WINOGRAD_TRANSFORMS_H
#define PYDEEPLAB_WINOGRAD_TRANSFORMS_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 8, TAPS = 9 };

typedef struct {
    /* Input tiles, whose first row begins at plane + offset[lane] and whose rows are `line` floats apart. Reads 8 floats
     * of each row. */
    void (*input)(const float *plane, const int32_t *offset, ptrdiff_t line, float *to, ptrdiff_t step);
    /* Sums of products back to pixels; writes 8 floats of each of m rows, lane after lane, the first m of them valid. */
    void (*output)(const float *from, ptrdiff_t step, float *plane, const int32_t *offset, ptrdiff_t line);
    /* Filters of TAPS taps, times a factor each; `turned` by half a turn. */
    void (*filter)(const float *const *filters, const float *factors, int turned, float *to, ptrdiff_t step);
    /* Gradients of output tiles, read like input tiles. */
    void (*output_gradient)(const float *plane, const int32_t *offset, ptrdiff_t line, float *to, ptrdiff_t step);
    /* Gradients of transformed filters back to taps: tap t of each at taps + 8 t. */
    void (*filter_gradient)(const float *from, ptrdiff_t step, float *taps);
} Transforms;

/* The transforms for output tiles of m x m, m one of 2, 3, 4 and 6; NULL for others. */
const Transforms *winograd_transforms(int m);

#endif
