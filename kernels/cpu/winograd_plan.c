#include "winograd_plan.h"

#include <omp.h>

enum {
    KEPT_FILTERS = 1 << 20, /* floats of transformed filters up to which all are kept */
    SOME_OUTPUTS = 48,      /* at once, if that leaves room for all rows */
    MANY_OUTPUTS = 96,
    NEAR = 2 << 20,         /* floats of tiles and products that stay in the last cache */
    OWN = 1 << 20,          /* the same where each thread has its own */
    TURNS = 8,              /* parts per thread from which on threads work alone */
};

/* Set all steps and sizes for the plan's parts; returns the floats used. With memory, set the pointers too. */
static ptrdiff_t lay_out(Plan *plan, float *memory)
{
    const Winograd *p = plan->problem;
    const Lines *lines = &plan->lines;
    const ptrdiff_t panels = over(plan->rows_at_once * p->x.tiles, PANEL), blocks = over(plan->outputs_at_once, BLOCK);
    plan->plane_in = in_lines(plan->rows_at_once * lines->n * lines->size_in + LANES);
    plan->plane = plan->plane_in + in_lines((plan->rows_at_once + 1) * lines->m * lines->size_out + LANES);
    plan->tile_step = (p->channels | 1) * PANEL;
    plan->block_step = p->channels * BLOCK + LANES;
    plan->filter_step = odd_lines(blocks * plan->block_step);
    plan->product_step = (blocks * BLOCK | 1) * PANEL;
    ptrdiff_t used = lines_room(p);
    plan->tile_in = place(memory, &used, panels * PANEL);
    plan->tile_out = place(memory, &used, panels * PANEL);
    plan->planes = place(memory, &used, omp_get_max_threads() * plan->plane);
    plan->tiles_size = panels * lines->values * plan->tile_step;
    plan->products_size = panels * lines->values * plan->product_step;
    const ptrdiff_t copies = plan->alone ? omp_get_max_threads() : 1;
    plan->tiles = place(memory, &used, copies * plan->tiles_size);
    plan->filters = place(memory, &used, lines->values * plan->filter_step);
    plan->products = place(memory, &used, copies * plan->products_size);
    return used + LINE;
}

static Plan smallest_plan(const Winograd *problem, float *memory)
{
    return (Plan){
        .problem = problem,
        .lines = lines_in(problem, memory),
        .rows = problem->batch * problem->y.tiles,
        .rows_at_once = 1,
        .outputs_at_once = least(BLOCK, problem->outputs),
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
    const ptrdiff_t width = plan->problem->x.tiles, rest = plan->rows % rows;
    return plan->rows / rows * over(rows * width, PANEL) + over(rest * width, PANEL);
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

/* As many outputs and rows at once as there is scratch for. All outputs if their filters are small, which then are
 * transformed once; else all rows if possible, since filters are transformed again for every part of the rows. */
static void choose_parts(Plan *plan, ptrdiff_t size)
{
    const Winograd *p = plan->problem;
    if (plan->lines.values * p->channels * over(p->outputs, BLOCK) * BLOCK <= KEPT_FILTERS) {
        const ptrdiff_t row = plan->lines.values * (p->channels + p->outputs) * p->x.tiles;
        const ptrdiff_t turns = plan->rows / (TURNS * omp_get_max_threads());
        grow_both(plan, p->outputs, least(plan->rows, most(NEAR / row, 1)), size);
        plan->alone = turns > 0 && plan->outputs_at_once == p->outputs;
        if (plan->alone)
            grow_both(plan, p->outputs, least(turns, most(OWN / row, 1)), size);
        if (lay_out(plan, NULL) > size) {
            plan->alone = 0;
            grow_both(plan, p->outputs, least(plan->rows, most(NEAR / row, 1)), size);
        }
    } else {
        grow_both(plan, SOME_OUTPUTS, plan->rows, size);
        if (plan->rows_at_once == plan->rows)
            grow(plan, &plan->outputs_at_once, BLOCK, most(plan->outputs_at_once, least(p->outputs, MANY_OUTPUTS)), size);
        else
            grow_both(plan, MANY_OUTPUTS, plan->rows, size);
    }
    if (plan->rows_at_once < plan->rows)
        fill_panels(plan);
}

Plan winograd_plan(const Winograd *problem, float *scratch, ptrdiff_t size)
{
    float *memory = aligned(scratch);
    Plan plan = smallest_plan(problem, memory);
    plan.transforms = winograd_transforms((int)problem->y.m);
    plan.multiply = panel_product();
    choose_parts(&plan, size);
    lay_out(&plan, memory);
    const Lines *lines = &plan.lines;
    const ptrdiff_t tiles = plan.rows_at_once * problem->x.tiles;
    for (ptrdiff_t t = 0; t < over(tiles, PANEL) * PANEL; t++) {
        const ptrdiff_t row = t / problem->x.tiles, column = t % problem->x.tiles;
        const int spare = t >= tiles;
        plan.tile_in[t] = spare ? 0 : (int32_t)(row * lines->n * lines->size_in + lines->column_at[column]);
        plan.tile_out[t] = (int32_t)(spare ? plan.rows_at_once * lines->m * lines->size_out
                                           : row * lines->m * lines->size_out + column * lines->m);
    }
    return plan;
}
