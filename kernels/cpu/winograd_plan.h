/* How the work of a Winograd convolution is cut into parts, and where they lie in the scratch. */
#ifndef PYDEEPLAB_WINOGRAD_PLAN_H
#define PYDEEPLAB_WINOGRAD_PLAN_H

#include "gemm_tile.h"
#include "winograd.h"
#include "winograd_transforms.h"

typedef struct {
    const Winograd *problem;
    const Transforms *transforms;
    PanelProduct multiply;
    ptrdiff_t m, n, values;            /* of a transformed tile: n n */
    ptrdiff_t rows, rows_at_once;      /* rows of tiles, over all images */
    ptrdiff_t outputs_at_once;         /* a multiple of BLOCK, or all */
    ptrdiff_t line_in, line_out;       /* floats of a line */
    int32_t *row_output, *column_output, *column_at;
    Place *in, *out;
    ptrdiff_t ins, outs;
    int32_t *tile_in, *tile_out;       /* where the tiles that are made at once lie in a thread's planes */
    float *planes;                     /* a thread's: first what tiles are read from, then what they are written to */
    ptrdiff_t plane_in, plane;
    float *tiles;                      /* [panel][value][channel, tile_step][PANEL] */
    float *filters;                    /* [value, filter_step][block, block_step][channel][BLOCK] */
    float *products;                   /* [panel][value][output, product_step][PANEL] */
    ptrdiff_t tile_step, filter_step, block_step, product_step;
} Plan;

/* Fit a plan for a forward pass into the scratch. */
Plan winograd_plan(const Winograd *problem, float *scratch, ptrdiff_t size);

static inline ptrdiff_t panels_of(ptrdiff_t tiles) { return (tiles + PANEL - 1) / PANEL; }
static inline ptrdiff_t blocks_of(ptrdiff_t outputs) { return (outputs + BLOCK - 1) / BLOCK; }
static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

#endif
