#include "winograd_plan.h"

#include <omp.h>
#include <stdint.h>

enum {
    KEPT_FILTERS = 1 << 20,  /* floats of transformed filters up to which all are kept */
    SOME_OUTPUTS = 48,       /* at once, if that leaves room for all rows */
    MANY_OUTPUTS = 96,
    SOME_CHANNELS = 2 * RUN, /* at once; with fewer, threads would wait for each other more often */
    NEAR = 2 << 20,          /* floats of tiles and products that stay in the last cache */
    OWN = 1 << 20,           /* the same where each thread has its own */
    TURNS = 2,               /* parts per thread from which on threads work alone */
};

static const ptrdiff_t NEVER = PTRDIFF_MAX / 2;

/* Cut all rows into parts; with memory, note them. */
static void cut(Plan *plan, int note)
{
    const Rows *rows = &plan->rows;
    plan->part_count = plan->all_panels = plan->most_rows = plan->most_panels = 0;
    for (ptrdiff_t row = 0; row < rows->all; plan->part_count++) {
        const Span part = next_rows(rows, row, plan->tiles_at_once);
        const ptrdiff_t panels = parts_of(tiles_in(rows, part), PANEL);
        if (note)
            plan->parts[plan->part_count] = part;
        plan->all_panels += panels;
        plan->most_panels = most(plan->most_panels, panels);
        plan->most_rows = most(plan->most_rows, part.count);
        row += part.count;
    }
}

/* Set all steps and sizes for the plan's parts; returns the floats used. With memory, set the pointers too. */
static ptrdiff_t lay_out(Plan *plan, float *memory)
{
    const Rows *rows = &plan->rows;
    const ptrdiff_t threads = omp_get_max_threads(), blocks = parts_of(plan->outputs_at_once, BLOCK);
    cut(plan, 0);
    const ptrdiff_t panels = plan->most_panels;
    plan->plane_in = in_lines(plan->most_rows * rows->n * rows->size_in + LANES);
    plan->plane_out = in_lines((plan->most_rows + 1) * rows->m * rows->size_out + LANES);
    plan->table = in_lines(panels * PANEL);
    plan->desk = plan->plane_in + plan->plane_out + 3 * plan->table;
    plan->tile_step = (plan->channels_at_once | 1) * PANEL;
    plan->block_step = plan->channels_at_once * BLOCK + LANES;
    plan->filter_step = odd_lines(blocks * plan->block_step);
    plan->product_step = (blocks * BLOCK | 1) * PANEL;
    ptrdiff_t used = place_rows(rows, memory);
    plan->parts = place(memory, &used, parts_of(plan->part_count * sizeof(Span), sizeof(float)));
    plan->desks = place(memory, &used, threads * plan->desk);
    plan->tiles_size = panels * rows->values * plan->tile_step;
    plan->products_size = panels * rows->values * plan->product_step;
    plan->filters_size = rows->values * plan->filter_step;
    const ptrdiff_t turns = plan->channels_at_once < plan->channels ? 2 : 1, own = plan->alone ? threads : 1;
    plan->tiles = place(memory, &used, turns * own * plan->tiles_size);
    plan->filters = place(memory, &used, turns * plan->filters_size);
    plan->products = place(memory, &used, own * plan->products_size);
    if (memory)
        cut(plan, 1);
    return used + LINE;
}

static Plan smallest_plan(Batch *batches, ptrdiff_t count)
{
    const Winograd *p = &batches->problem;
    Plan plan = {
        .channels = p->channels,
        .outputs = p->outputs,
        .rate = p->x.rate,
        .rows = rows_of(batches, count),
        .outputs_at_once = least(BLOCK, p->outputs),
        .channels_at_once = p->channels,
    };
    plan.tiles_at_once = plan.rows.widest;
    return plan;
}

ptrdiff_t winograd_least(Batch *batches, ptrdiff_t count)
{
    Plan plan = smallest_plan(batches, count);
    return lay_out(&plan, NULL);
}

/* The largest number up to `limit`, in steps, for which the plan fits, as it does now; it is stored in `number`. */
static void grow(Plan *plan, ptrdiff_t *number, ptrdiff_t step, ptrdiff_t limit, ptrdiff_t size)
{
    ptrdiff_t low = 0, high = most(parts_of(limit - *number, step), 0) + 1; /* steps that fit, steps that do not */
    const ptrdiff_t from = *number;
    while (high - low > 1) {
        const ptrdiff_t steps = (low + high) / 2;
        *number = least(from + steps * step, limit);
        if (lay_out(plan, NULL) <= size)
            low = steps;
        else
            high = steps;
    }
    *number = low ? least(from + low * step, limit) : from;
}

/* Grow first the outputs, then the tiles that are made at once. */
static void grow_both(Plan *plan, ptrdiff_t outputs, ptrdiff_t tiles, ptrdiff_t size)
{
    plan->tiles_at_once = plan->rows.widest;
    grow(plan, &plan->outputs_at_once, BLOCK, most(least(plan->outputs, outputs), plan->outputs_at_once), size);
    grow(plan, &plan->tiles_at_once, 1, least(tiles, plan->rows.tiles), size);
}

/* Fewer tiles at once where that leaves fewer panels unfilled and fits: with pictures of several widths, parts may have
 * more rows then. */
static void fill_panels(Plan *plan, ptrdiff_t size)
{
    const ptrdiff_t most_tiles = plan->tiles_at_once;
    ptrdiff_t best = most_tiles;
    cut(plan, 0);
    for (ptrdiff_t fewer = most_tiles, panels = plan->all_panels; 2 * fewer >= most_tiles; fewer--) {
        plan->tiles_at_once = fewer;
        if (lay_out(plan, NULL) <= size && plan->all_panels < panels) {
            panels = plan->all_panels;
            best = fewer;
        }
    }
    plan->tiles_at_once = best;
}

/* A few channels at a time, so that tiles stay near, where the sums of all outputs do so too. */
static int choose_channels(Plan *plan, ptrdiff_t size)
{
    plan->channels_at_once = least(SOME_CHANNELS, plan->channels);
    const ptrdiff_t tile = plan->rows.values * (plan->channels_at_once + plan->outputs);
    if (plan->outputs <= SOME_OUTPUTS) {
        grow_both(plan, plan->outputs, NEAR / tile, size);
        if (plan->outputs_at_once == plan->outputs)
            return 1;
    }
    plan->channels_at_once = plan->channels;
    plan->outputs_at_once = least(BLOCK, plan->outputs);
    return 0;
}

/* All outputs and as many tiles as fit are made at once, `tiles` at most: how many panels that makes, or NEVER. */
static ptrdiff_t keep_filters_for(Plan *plan, int alone, ptrdiff_t tiles, ptrdiff_t size)
{
    plan->alone = alone;
    grow_both(plan, plan->outputs, tiles, size);
    fill_panels(plan, size);
    return lay_out(plan, NULL) <= size && plan->outputs_at_once == plan->outputs ? plan->all_panels : NEVER;
}

/* All filters are transformed once. Threads work alone where there are enough parts and these fill their panels. */
static void keep_filters(Plan *plan, ptrdiff_t size)
{
    const Rows *rows = &plan->rows;
    const ptrdiff_t threads = omp_get_max_threads(), tile = rows->values * (plan->channels + plan->outputs);
    const ptrdiff_t turn = threads == 1 ? rows->tiles : rows->tiles / (TURNS * threads);
    const ptrdiff_t together = keep_filters_for(plan, 0, NEAR / tile, size);
    const ptrdiff_t alone = turn < rows->widest ? NEVER : keep_filters_for(plan, 1, least(turn, OWN / tile), size);
    if (alone == NEVER || alone > together + together / 8)
        keep_filters_for(plan, 0, NEAR / tile, size);
}

/* As many outputs and tiles at once as there is scratch for. All outputs if their filters are small, which then are
 * transformed once; else all tiles if possible, since filters are transformed again for every part of the rows. */
static void choose_parts(Plan *plan, ptrdiff_t size)
{
    const ptrdiff_t tiles = plan->rows.tiles;
    if (plan->rows.values * plan->channels * parts_of(plan->outputs, BLOCK) * BLOCK <= KEPT_FILTERS)
        keep_filters(plan, size);
    else if (!choose_channels(plan, size)) {
        grow_both(plan, SOME_OUTPUTS, tiles, size);
        if (plan->tiles_at_once == tiles)
            grow(plan, &plan->outputs_at_once, BLOCK, most(plan->outputs_at_once, least(plan->outputs, MANY_OUTPUTS)), size);
        else
            grow_both(plan, MANY_OUTPUTS, tiles, size);
    }
    fill_panels(plan, size);
}

Plan winograd_plan(Batch *batches, ptrdiff_t count, float *scratch, ptrdiff_t size)
{
    Plan plan = smallest_plan(batches, count);
    plan.transforms = winograd_transforms((int)plan.rows.m);
    plan.multiply = panel_product();
    choose_parts(&plan, size);
    lay_out(&plan, aligned(scratch));
    return plan;
}
