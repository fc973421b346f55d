/* A thread's own memory while it works on some rows. */
#ifndef PYDEEPLAB_WINOGRAD_DESK_H
#define PYDEEPLAB_WINOGRAD_DESK_H

#include "winograd_plan.h"

typedef struct {
    const Plan *plan;
    Span rows;
    ptrdiff_t tiles;
    float *in, *out;             /* planes that tiles are read from and written to */
    int32_t *tile_in, *tile_out; /* where the tiles lie in them */
    int32_t *together;           /* how many of each LANES of them lie side by side */
} Desk;

/* The desk of this thread for the plan's part number `part`. */
Desk desk_for(const Plan *plan, ptrdiff_t part);

/* Where LANES tiles from `tile` on are read from and written to. */
Spots spots_in(const Desk *desk, ptrdiff_t tile);
Spots spots_out(const Desk *desk, ptrdiff_t tile);

#endif
