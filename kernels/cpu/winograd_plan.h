/* How a forward pass is cut into parts, and where they lie in the scratch. */
#ifndef PYDEEPLAB_WINOGRAD_PLAN_H
#define PYDEEPLAB_WINOGRAD_PLAN_H

#include "gemm_tile.h"
#include "scratch.h"
#include "winograd_rows.h"
#include "winograd_transforms.h"

typedef struct {
    ptrdiff_t channels, outputs;
    ptrdiff_t rate; /* of columns */
    Rows rows;
    const Transforms *transforms;
    PanelProduct multiply;
    int alone;                  /* whether each thread makes outputs of its own rows from beginning to end */
    ptrdiff_t tiles_at_once;    /* of whole rows, over all batches */
    ptrdiff_t outputs_at_once;  /* a multiple of BLOCK, or all */
    ptrdiff_t channels_at_once; /* all, or a multiple of RUN: then there are tiles and filters for two turns */
    Span *parts;                /* the rows that are made at once */
    ptrdiff_t part_count, all_panels, most_rows, most_panels; /* of all parts, and of the largest */
    float *desks;                                             /* see winograd_desk.h */
    ptrdiff_t plane_in, plane_out, table, desk;
    float *tiles;    /* [panel][value][channel, tile_step][PANEL]; if alone, one per thread */
    float *filters;  /* [value, filter_step][block, block_step][channel][BLOCK] */
    float *products; /* [panel][value][output, product_step][PANEL]; if alone, one per thread */
    ptrdiff_t tiles_size, tile_step, filters_size, filter_step, block_step, products_size, product_step;
} Plan;

/* Fit a plan for a forward pass into the scratch. */
Plan winograd_plan(Batch *batches, ptrdiff_t count, float *scratch, ptrdiff_t size);

#endif
