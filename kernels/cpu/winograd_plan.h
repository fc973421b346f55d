/* How a forward pass is cut into parts, and where they lie in the scratch. */
#ifndef PYDEEPLAB_WINOGRAD_PLAN_H
#define PYDEEPLAB_WINOGRAD_PLAN_H

#include "gemm_tile.h"
#include "scratch.h"
#include "winograd_rows.h"
#include "winograd_transforms.h"

typedef struct {
    const Winograd *problem;
    Rows rows;
    const Transforms *transforms;
    PanelProduct multiply;
    int alone;                        /* whether each thread makes outputs of its own rows from beginning to end */
    ptrdiff_t all_rows, rows_at_once; /* rows of tiles, over all images */
    ptrdiff_t outputs_at_once;        /* a multiple of BLOCK, or all */
    ptrdiff_t channels_at_once;       /* all, or a multiple of RUN: then there are tiles and filters for two turns */
    int32_t *tile_in, *tile_out;      /* where the tiles that are made at once lie in a thread's planes */
    int32_t *together;                /* how many of each LANES of them lie side by side */
    float *planes;                    /* a thread's: first what tiles are read from, then what they are written to */
    ptrdiff_t plane_in, plane;
    float *tiles;                     /* [panel][value][channel, tile_step][PANEL]; if alone, one per thread */
    float *filters;                   /* [value, filter_step][block, block_step][channel][BLOCK] */
    float *products;                  /* [panel][value][output, product_step][PANEL]; if alone, one per thread */
    ptrdiff_t tiles_size, tile_step, filters_size, filter_step, block_step, products_size, product_step;
} Plan;

/* Fit a plan for a forward pass into the scratch. */
Plan winograd_plan(const Winograd *problem, float *scratch, ptrdiff_t size);

#endif
