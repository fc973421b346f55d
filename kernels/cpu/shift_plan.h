/* How a pass is cut into regions and strips, and where its parts lie in the scratch. */
#ifndef PYDEEPLAB_SHIFT_PLAN_H
#define PYDEEPLAB_SHIFT_PLAN_H

#include "gemm_tile.h"
#include "scratch.h"
#include "shift_regions.h"

enum { MOST_PANELS = 16 }; /* of a strip */

/* Rows of weights and of products are numbered by tap and output. Rows of neighbouring taps are a run, whose products are
 * made in blocks. */
typedef struct {
    Segment y, x;
    ptrdiff_t width, pixels, panels;
    ptrdiff_t runs, taps_of_run;
    ptrdiff_t run_step, step; /* floats of a panel's products of a run and of all runs */
    float *products;          /* [panel, step][run, run_step][tap][output][PANEL] */
} Region;

/* Panels begin..begin + count of a region. */
typedef struct {
    const Region *region;
    ptrdiff_t begin, count;
} Strip;

typedef struct {
    const Shift *problem;
    ptrdiff_t taps, outputs_at_once;
    Segment *segments;
    Region *regions;
    Strip *strips;
    ptrdiff_t region_count, strip_count, strip_panels;
    float *weights; /* [channel, weight_step][tap][output] */
    float *products;
    float *own; /* a thread's: columns of a strip, or a row of products */
    ptrdiff_t weight_step, own_size;
} Plan;

/* Fit a plan into the scratch. */
Plan shift_plan(const Shift *problem, float *scratch, ptrdiff_t size);

#endif
