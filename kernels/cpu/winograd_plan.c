#include "winograd_plan.h"

#include <omp.h>

enum {
    LINE = 16,               /* floats of a cache line */
    KEPT_FILTERS = 1 << 20,  /* floats of transformed filters up to which all are kept */
    OUTPUTS_AT_ONCE = 96,
    NEAR = 3 << 20,          /* floats of tiles and products that stay in the last cache */
};

static ptrdiff_t in_lines(ptrdiff_t floats) { return (floats + LINE - 1) / LINE * LINE; }

/* An odd number of cache lines, so that neighbours lie in different sets of a cache. */
static ptrdiff_t odd_lines(ptrdiff_t floats) { return (in_lines(floats) / LINE | 1) * LINE; }

static void take(ptrdiff_t *used, ptrdiff_t floats) { *used += in_lines(floats); }

/* Set all steps and sizes for the plan's parts; returns the floats used. With memory, set the pointers too. */
static ptrdiff_t lay_out(Plan *plan, float *memory)
{
    const Winograd *p = plan->problem;
    const ptrdiff_t tiles = plan->rows_at_once * p->x.tiles, panels = panels_of(tiles);
    const ptrdiff_t blocks = blocks_of(plan->outputs_at_once);
    plan->line_in = input_line_size(&p->x);
    plan->line_out = output_line_size(&p->x);
    plan->plane_in = in_lines(plan->rows_at_once * plan->n * plan->line_in + LANES);
    plan->plane = plan->plane_in + in_lines((plan->rows_at_once + 1) * plan->m * plan->line_out + LANES);
    plan->tile_step = (p->channels | 1) * PANEL;
    plan->block_step = p->channels * BLOCK + LANES;
    plan->filter_step = odd_lines(blocks * plan->block_step);
    plan->product_step = (blocks * BLOCK | 1) * PANEL;
    ptrdiff_t used = 0;
#define PLACE(pointer, type, floats)                                                 \
    do {                                                                             \
        pointer = memory ? (type *)(memory + used) : NULL;                           \
        take(&used, floats);                                                         \
    } while (0)
    PLACE(plan->row_output, int32_t, p->y.tiles);
    PLACE(plan->column_output, int32_t, p->x.tiles);
    PLACE(plan->column_at, int32_t, most(p->x.tiles, p->y.tiles));
    PLACE(plan->in, Place, 2 * p->x.size);
    PLACE(plan->out, Place, 2 * p->x.out);
    PLACE(plan->tile_in, int32_t, panels * PANEL);
    PLACE(plan->tile_out, int32_t, panels * PANEL);
    PLACE(plan->planes, float, omp_get_max_threads() * plan->plane);
    PLACE(plan->tiles, float, panels * plan->values * plan->tile_step);
    PLACE(plan->filters, float, plan->values * plan->filter_step);
    PLACE(plan->products, float, panels * plan->values * plan->product_step);
#undef PLACE
    return used;
}

static Plan begin_plan(const Winograd *problem)
{
    Plan plan = {.problem = problem, .m = problem->y.m, .n = problem->y.m + 2};
    plan.values = plan.n * plan.n;
    plan.rows = problem->batch * problem->y.tiles;
    plan.rows_at_once = 1;
    plan.outputs_at_once = least(BLOCK, problem->outputs);
    return plan;
}

ptrdiff_t winograd_least(const Winograd *problem)
{
    Plan plan = begin_plan(problem);
    return lay_out(&plan, NULL) + LINE;
}

/* Panels of tiles when all rows are done `rows` at a time. */
static ptrdiff_t panels_by(const Plan *plan, ptrdiff_t rows)
{
    const ptrdiff_t width = plan->problem->x.tiles, rest = plan->rows % rows;
    return plan->rows / rows * panels_of(rows * width) + panels_of(rest * width);
}

/* As many outputs and rows at once as there is scratch for: few parts, and little lost to unfilled panels. */
static void choose_parts(Plan *plan, ptrdiff_t size)
{
    const Winograd *p = plan->problem;
    const int keep = plan->values * p->channels * blocks_of(p->outputs) * BLOCK <= KEPT_FILTERS;
    const ptrdiff_t wanted = keep ? p->outputs : least(p->outputs, OUTPUTS_AT_ONCE);
    do {
        const ptrdiff_t before = plan->outputs_at_once;
        plan->outputs_at_once = least(before + BLOCK, wanted);
        if (lay_out(plan, NULL) > size) {
            plan->outputs_at_once = before;
            break;
        }
    } while (plan->outputs_at_once < wanted);
    const ptrdiff_t each = plan->values * (p->channels + plan->outputs_at_once) * p->x.tiles;
    const ptrdiff_t limit = keep ? least(plan->rows, most(NEAR / each, 1)) : plan->rows;
    ptrdiff_t rows = 1;
    for (ptrdiff_t more = 2; more <= limit; more++) {
        plan->rows_at_once = more;
        if (lay_out(plan, NULL) > size)
            break;
        rows = more;
    }
    plan->rows_at_once = rows;
    if (rows < plan->rows)
        for (ptrdiff_t fewer = rows; 2 * fewer >= rows && fewer > 0; fewer--)
            if (panels_by(plan, fewer) < panels_by(plan, plan->rows_at_once))
                plan->rows_at_once = fewer;
}

Plan winograd_plan(const Winograd *problem, float *scratch, ptrdiff_t size)
{
    Plan plan = begin_plan(problem);
    plan.transforms = winograd_transforms((int)plan.m);
    plan.multiply = panel_product();
    float *memory = (float *)(((uintptr_t)scratch + 4 * LINE - 1) / (4 * LINE) * (4 * LINE));
    choose_parts(&plan, size - LINE);
    lay_out(&plan, memory);
    tile_places(&problem->y, plan.row_output, plan.column_at);
    tile_places(&problem->x, plan.column_output, plan.column_at);
    plan.ins = input_places(&problem->x, plan.in);
    plan.outs = output_places(&problem->x, plan.out);
    const ptrdiff_t tiles = plan.rows_at_once * problem->x.tiles;
    for (ptrdiff_t t = 0; t < panels_of(tiles) * PANEL; t++) {
        const ptrdiff_t row = t / problem->x.tiles, column = t % problem->x.tiles;
        const int spare = t >= tiles;
        plan.tile_in[t] = spare ? 0 : (int32_t)(row * plan.n * plan.line_in + plan.column_at[column]);
        plan.tile_out[t] = (int32_t)(spare ? plan.rows_at_once * plan.m * plan.line_out
                                           : row * plan.m * plan.line_out + column * plan.m);
    }
    return plan;
}
