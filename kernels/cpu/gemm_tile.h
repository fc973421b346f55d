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
};

/* For i < blocks: c + i * c_step = the product of block a + i * a_step and panel b over k terms, added to c if `add`.
 * Row r of a block at term t is a[t * lda + r]. */
typedef void (*PanelProduct)(ptrdiff_t k, ptrdiff_t blocks, const float *a, ptrdiff_t lda, ptrdiff_t a_step,
                             const float *b, float *c, ptrdiff_t c_step, int add);

/* The fastest one for this processor. */
PanelProduct panel_product(void);

#endif
