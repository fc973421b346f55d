/* Products of packed panels: the inner loop of every convolution that does not go through BLAS.
 *
 * A panel of b holds PANEL columns, k after k; a block of a holds BLOCK rows, k after k; their product is BLOCK rows of
 * PANEL floats. Each panel is multiplied by many blocks, so that it stays in the nearest cache.
 */
#ifndef PYDEEPLAB_GEMM_TILE_H
#define PYDEEPLAB_GEMM_TILE_H

#include <stddef.h>

enum {
    PANEL = 16,
    BLOCK = 6,
    DEPTH = 256, /* terms summed at a time, such that a panel and a block share the nearest cache */
    RUN = 64,    /* terms of a run */
};

/* For i < blocks: c + i * c_step = the product of block a + i * a_step and panel b over k terms, added to c if `add`.
 * Row r of a block at term t is a[t * lda + r]. */
typedef void (*PanelProduct)(ptrdiff_t k, ptrdiff_t blocks, const float *a, ptrdiff_t lda, ptrdiff_t a_step, const float *b,
                             float *c, ptrdiff_t c_step, int add);

/* The fastest one for this processor. */
PanelProduct panel_product(void);

/* The same, but summing runs of terms and then the sums: smaller rounding errors for little time. */
static inline void multiply_in_runs(PanelProduct multiply, ptrdiff_t k, ptrdiff_t blocks, const float *a, ptrdiff_t lda,
                                    ptrdiff_t a_step, const float *b, float *c, ptrdiff_t c_step, int add)
{
    for (ptrdiff_t i = 0; i < blocks; i += 2)
        for (ptrdiff_t t = 0; t < k; t += RUN)
            multiply(k - t < RUN ? k - t : RUN, blocks - i < 2 ? blocks - i : 2, a + i * a_step + t * lda, lda, a_step,
                     b + t * PANEL, c + i * c_step, c_step, add || t > 0);
}

#endif
