#include "winograd_desk.h"

#include <omp.h>
#include <string.h>

/* Into how many equal parts, at most, LANES tiles can be cut such that those of each part lie side by side. */
static int32_t count_together(const int32_t *at)
{
    int32_t together = LANES;
    for (int l = 1; l < LANES; l++)
        while (at[l] != at[l - 1] + 1 && l % together)
            together /= 2;
    return together;
}

/* Where the tiles lie; tiles that only fill up the last panel have a place of their own. */
static void place_tiles(Desk *desk)
{
    const Rows *rows = &desk->plan->rows;
    ptrdiff_t t = 0, row = 0;
    for (const Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++)
        for (const ptrdiff_t end = row + rows_in(batch, desk->rows).count; row < end; row++)
            for (ptrdiff_t column = 0; column < batch->problem.x.tiles; column++, t++) {
                desk->tile_in[t] = (int32_t)(row * rows->n * rows->size_in + batch->column_output[column]);
                desk->tile_out[t] = (int32_t)(row * rows->m * rows->size_out + batch->column_output[column]);
            }
    desk->tiles = t;
    for (; t % PANEL; t++) {
        desk->tile_in[t] = 0;
        desk->tile_out[t] = (int32_t)(row * rows->m * rows->size_out);
    }
    for (t = 0; t < desk->tiles; t += LANES)
        desk->together[t / LANES] = count_together(desk->tile_in + t);
}

Desk desk_for(const Plan *plan, ptrdiff_t part)
{
    float *own = plan->desks + omp_get_thread_num() * plan->desk;
    Desk desk = {.plan = plan, .rows = plan->parts[part], .in = own, .out = own + plan->plane_in};
    desk.tile_in = (int32_t *)(desk.out + plan->plane_out);
    desk.tile_out = desk.tile_in + plan->table;
    desk.together = desk.tile_out + plan->table;
    memset(desk.in, 0, plan->plane_in * sizeof(float));
    place_tiles(&desk);
    return desk;
}

Spots spots_in(const Desk *desk, ptrdiff_t tile)
{
    return (Spots){desk->tile_in + tile, desk->plan->rows.size_in, desk->plan->rate, desk->together[tile / LANES]};
}

Spots spots_out(const Desk *desk, ptrdiff_t tile)
{
    return (Spots){desk->tile_out + tile, desk->plan->rows.size_out, desk->plan->rate, desk->together[tile / LANES]};
}
