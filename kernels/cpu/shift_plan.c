#include "shift_plan.h"

#include <omp.h>

enum {
    FEWEST_PANELS = 4, /* of a strip */
    TURNS = 8,         /* strips per thread, if they are not too small */
    MOST_ROWS = 1024,  /* of weights at once: those of the next channel are still near in memory */
};

static ptrdiff_t panels_of(const Shift *p) { return parts_of(p->y.size * p->x.size, PANEL); }

static ptrdiff_t most_regions(const Shift *p) { return most_segments(&p->y) * most_segments(&p->x); }

/* Floats that hold `count` structures of `bytes`. */
static ptrdiff_t floats_of(ptrdiff_t count, size_t bytes) { return parts_of(count * (ptrdiff_t)bytes, sizeof(float)); }

/* Set all sizes for the plan's number of outputs; returns the floats used, as if every pixel needed every tap. With memory,
 * set the pointers too. */
static ptrdiff_t lay_out(Plan *plan, float *memory)
{
    const Shift *p = plan->problem;
    const ptrdiff_t panels = panels_of(p) + most_regions(p), rows = plan->taps * plan->outputs_at_once;
    plan->weight_step = odd_lines(rows + BLOCK);
    plan->strip_panels = most(FEWEST_PANELS, least(MOST_PANELS, panels_of(p) / (TURNS * omp_get_max_threads())));
    plan->own_size = in_lines(most(DEPTH * plan->strip_panels, panels_of(p)) * PANEL);
    ptrdiff_t used = 0;
    plan->segments = place(memory, &used, floats_of(most_segments(&p->y) + most_segments(&p->x), sizeof(Segment)));
    plan->regions = place(memory, &used, floats_of(most_regions(p), sizeof(Region)));
    plan->strips = place(memory, &used, floats_of(panels, sizeof(Strip)));
    plan->weights = place(memory, &used, p->channels * plan->weight_step);
    plan->products = place(memory, &used, panels * odd_lines((rows + p->y.taps * BLOCK) * PANEL));
    plan->own = place(memory, &used, omp_get_max_threads() * plan->own_size);
    return used + LINE;
}

ptrdiff_t shift_least(const Shift *problem)
{
    Plan plan = {.problem = problem, .taps = problem->y.taps * problem->x.taps, .outputs_at_once = 1};
    return lay_out(&plan, NULL);
}

static Region region_of(const Plan *plan, Segment y, Segment x)
{
    const ptrdiff_t ys = y.last - y.first, xs = x.last - x.first;
    Region region = {.y = y, .x = x, .width = x.end - x.begin};
    region.pixels = (y.end - y.begin) * region.width;
    region.panels = parts_of(region.pixels, PANEL);
    region.runs = xs == plan->problem->x.taps ? 1 : ys;
    region.taps_of_run = xs * ys / region.runs;
    region.run_step = parts_of(region.taps_of_run * plan->outputs_at_once, BLOCK) * BLOCK * PANEL;
    region.step = odd_lines(region.runs * region.run_step);
    return region;
}

static void cut_region(Plan *plan, const Region *region)
{
    const ptrdiff_t strips = parts_of(region->panels, plan->strip_panels);
    for (ptrdiff_t i = 0; i < strips; i++) {
        const ptrdiff_t begin = i * region->panels / strips, end = (i + 1) * region->panels / strips;
        plan->strips[plan->strip_count++] = (Strip){region, begin, end - begin};
    }
}

static void cut_image(Plan *plan)
{
    const Shift *p = plan->problem;
    Segment *down = plan->segments, *across = down + most_segments(&p->y);
    const ptrdiff_t rows = cut_axis(&p->y, down), columns = cut_axis(&p->x, across);
    float *products = plan->products;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) {
            Region *region = plan->regions + plan->region_count++;
            *region = region_of(plan, down[i], across[j]);
            region->products = products;
            products += region->panels * region->step;
            cut_region(plan, region);
        }
}

Plan shift_plan(const Shift *problem, float *scratch, ptrdiff_t size)
{
    Plan plan = {.problem = problem, .taps = problem->y.taps * problem->x.taps, .outputs_at_once = problem->outputs};
    while (plan.outputs_at_once > 1 && (plan.outputs_at_once * plan.taps > MOST_ROWS || lay_out(&plan, NULL) > size))
        plan.outputs_at_once = plan.outputs_at_once > BLOCK ? (plan.outputs_at_once - 1) / BLOCK * BLOCK
                                                            : plan.outputs_at_once - 1;
    lay_out(&plan, aligned(scratch));
    cut_image(&plan);
    return plan;
}
