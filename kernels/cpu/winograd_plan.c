#include "winograd_plan.h"

#include <omp.h>

enum {
    KEPT_FILTERS = 1 << 20,  /* floats of transformed filters up to which all are kept */
    SOME_OUTPUTS = 48,       /* at once, if that leaves room for all rows */
    MANY_OUTPUTS = 96,
    SOME_CHANNELS = 2 * RUN, /* at once; with fewer, threads would wait for each other more often */
    NEAR = 2 << 20,          /* floats of tiles and products that stay in the last cache */
    OWN = 1 << 20,           /* the same where each thread has its own */
    TURNS = 8,               /* parts per thread from which on threads work alone */
};

/* Set all steps and sizes for the plan's parts; returns the floats used. With memory, set the pointers too. */
static ptrdiff_t lay_out(Plan *plan, float *memory)
{
    const Winograd *p = plan->problem;
    const Rows *rows = &plan->rows;
    const ptrdiff_t panels = parts_of(plan->rows_at_once * p->x.tiles, PANEL);
    const ptrdiff_t blocks = parts_of(plan->outputs_at_once, BLOCK);
    plan->plane_in = in_lines(plan->rows_at_once * rows->n * rows->size_in + LANES);
    plan->plane = plan->plane_in + in_lines((plan->rows_at_once + 1) * rows->m * rows->size_out + LANES);
    plan->tile_step = (plan->channels_at_once | 1) * PANEL;
    plan->block_step = plan->channels_at_once * BLOCK + LANES;
    plan->filter_step = odd_lines(blocks * plan->block_step);
    plan->product_step = (blocks * BLOCK | 1) * PANEL;
    ptrdiff_t used = rows_room(p);
    plan->tile_in = place(memory, &used, panels * PANEL);
    plan->tile_out = place(memory, &used, panels * PANEL);
    plan->together = place(memory, &used, panels * PANEL / LANES);
    plan->planes = place(memory, &used, omp_get_max_threads() * plan->plane);
    plan->tiles_size = panels * rows->values * plan->tile_step;
    plan->products_size = panels * rows->values * plan->product_step;
    plan->filters_size = rows->values * plan->filter_step;
    const ptrdiff_t turns = plan->channels_at_once < p->channels ? 2 : 1, own = plan->alone ? omp_get_max_threads() : 1;
    plan->tiles = place(memory, &used, turns * own * plan->tiles_size);
    plan->filters = place(memory, &used, turns * plan->filters_size);
    plan->products = place(memory, &used, own * plan->products_size);
    return used + LINE;
}

static Plan smallest_plan(const Winograd *problem, float *memory)
{
    return (Plan){
        .problem = problem,
        .rows = rows_in(problem, memory),
        .all_rows = problem->batch * problem->y.tiles,
        .rows_at_once = 1,
        .outputs_at_once = least(BLOCK, problem->outputs),
        .channels_at_once = problem->channels,
    };
}

ptrdiff_t winograd_least(const Winograd *problem)
{
    Plan plan = smallest_plan(problem, NULL);
    return lay_out(&plan, NULL);
}

/* Panels of tiles when all rows are done `rows` at a time. */
static ptrdiff_t panels_by(const Plan *plan, ptrdiff_t rows)
{
    const ptrdiff_t width = plan->problem->x.tiles, rest = plan->all_rows % rows;
    return plan->all_rows / rows * parts_of(rows * width, PANEL) + parts_of(rest * width, PANEL);
}

/* The largest number up to `limit`, in steps, for which the plan fits; it is stored in `number`. */
static void grow(Plan *plan, ptrdiff_t *number, ptrdiff_t step, ptrdiff_t limit, ptrdiff_t size)
{
    while (*number < limit) {
        const ptrdiff_t before = *number;
        *number = least(before + step, limit);
        if (lay_out(plan, NULL) > size) {
            *number = before;
            return;
        }
    }
}

/* Grow first the outputs, then the rows that are made at once. */
static void grow_both(Plan *plan, ptrdiff_t outputs, ptrdiff_t rows, ptrdiff_t size)
{
    plan->rows_at_once = 1;
    grow(plan, &plan->outputs_at_once, BLOCK, most(least(plan->problem->outputs, outputs), plan->outputs_at_once), size);
    grow(plan, &plan->rows_at_once, 1, rows, size);
}

/* Fewer rows at once where that leaves fewer panels unfilled. */
static void fill_panels(Plan *plan)
{
    const ptrdiff_t rows = plan->rows_at_once;
    for (ptrdiff_t fewer = rows; 2 * fewer >= rows; fewer--)
        if (panels_by(plan, fewer) < panels_by(plan, plan->rows_at_once))
            plan->rows_at_once = fewer;
}

/* A few channels at a time, so that tiles stay near, where the sums of all outputs do so too. */
static int choose_channels(Plan *plan, ptrdiff_t size)
{
    const Winograd *p = plan->problem;
    plan->channels_at_once = least(SOME_CHANNELS, p->channels);
    const ptrdiff_t row = plan->rows.values * (plan->channels_at_once + p->outputs) * p->x.tiles;
    if (p->outputs <= SOME_OUTPUTS) {
        grow_both(plan, p->outputs, least(plan->all_rows, most(2 * NEAR / row, 1)), size);
        if (plan->outputs_at_once == p->outputs)
            return 1;
    }
    plan->channels_at_once = p->channels;
    plan->outputs_at_once = least(BLOCK, p->outputs);
    return 0;
}

/* As many outputs and rows at once as there is scratch for. All outputs if their filters are small, which then are
 * transformed once; else all rows if possible, since filters are transformed again for every part of the rows. */
static void choose_parts(Plan *plan, ptrdiff_t size)
{
    const Winograd *p = plan->problem;
    if (plan->rows.values * p->channels * parts_of(p->outputs, BLOCK) * BLOCK <= KEPT_FILTERS) {
        const ptrdiff_t row = plan->rows.values * (p->channels + p->outputs) * p->x.tiles;
        const ptrdiff_t turns = plan->all_rows / (TURNS * omp_get_max_threads());
        grow_both(plan, p->outputs, least(plan->all_rows, most(NEAR / row, 1)), size);
        plan->alone = turns > 0 && plan->outputs_at_once == p->outputs;
        if (plan->alone)
            grow_both(plan, p->outputs, least(turns, most(OWN / row, 1)), size);
        if (lay_out(plan, NULL) > size) {
            plan->alone = 0;
            grow_both(plan, p->outputs, least(plan->all_rows, most(NEAR / row, 1)), size);
        }
    } else if (!choose_channels(plan, size)) {
        grow_both(plan, SOME_OUTPUTS, plan->all_rows, size);
        if (plan->rows_at_once == plan->all_rows)
            grow(plan, &plan->outputs_at_once, BLOCK, most(plan->outputs_at_once, least(p->outputs, MANY_OUTPUTS)), size);
        else
            grow_both(plan, MANY_OUTPUTS, plan->all_rows, size);
    }
    if (plan->rows_at_once < plan->all_rows)
        fill_panels(plan);
}

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
static void place_tiles(Plan *plan)
{
    const Rows *rows = &plan->rows;
    const ptrdiff_t width = plan->problem->x.tiles, tiles = plan->rows_at_once * width;
    for (ptrdiff_t t = 0; t < parts_of(tiles, PANEL) * PANEL; t++) {
        const ptrdiff_t row = t / width, column = t % width;
        plan->tile_in[t] = plan->tile_out[t] = 0;
        if (t < tiles) {
            plan->tile_in[t] = (int32_t)(row * rows->n * rows->size_in + rows->column_output[column]);
            plan->tile_out[t] = (int32_t)(row * rows->m * rows->size_out + rows->column_output[column]);
        } else
            plan->tile_out[t] = (int32_t)(plan->rows_at_once * rows->m * rows->size_out);
    }
    for (ptrdiff_t t = 0; t < tiles; t += LANES)
        plan->together[t / LANES] = count_together(plan->tile_in + t);
}

Plan winograd_plan(const Winograd *problem, float *scratch, ptrdiff_t size)
{
    float *memory = aligned(scratch);
    Plan plan = smallest_plan(problem, memory);
    plan.transforms = winograd_transforms((int)problem->y.m);
    plan.multiply = panel_product();
    choose_parts(&plan, size);
    lay_out(&plan, memory);
    place_tiles(&plan);
    return plan;
}
