#include <omp.h>
#include <string.h>

#include "winograd_plan.h"

enum {
    CHANNELS_AT_ONCE = 32,  /* of the filters that one thread transforms */
    CHANNELS_SUMMED = 512,  /* by one product: the longer, the more of the tiles is fetched ahead */
};

static float *own_plane(const Plan *plan) { return plan->planes + omp_get_thread_num() * plan->plane; }

static float *tiles_of(const Plan *plan) { return plan->tiles + (plan->alone ? omp_get_thread_num() : 0) * plan->tiles_size; }

static float *products_of(const Plan *plan)
{
    return plan->products + (plan->alone ? omp_get_thread_num() : 0) * plan->products_size;
}

/* All tiles of one channel in `count` rows. */
static void transform_tiles(const Plan *plan, const float *image, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count)
{
    float *plane = own_plane(plan);
    read_lines(&plan->lines, image, channel, first, count, plane);
    const ptrdiff_t tiles = count * plan->problem->x.tiles;
    for (ptrdiff_t t = 0; t < tiles; t += LANES) {
        float *to = tiles_of(plan) + t / PANEL * plan->lines.values * plan->tile_step + channel * PANEL + t % PANEL;
        plan->transforms->input(plane, plan->tile_in + t, plan->lines.size_in, to, plan->tile_step);
    }
}

/* A block of filters, from `begin` to `end` of the channels. Eight lanes are written, the last two to be overwritten. */
static void transform_filters(const Plan *plan, const float *w, int adjoint, const float *scale, ptrdiff_t first,
                              ptrdiff_t block, ptrdiff_t begin, ptrdiff_t end)
{
    static const float none[TAPS] = {0};
    const Winograd *p = plan->problem;
    const ptrdiff_t step = (adjoint ? p->outputs : 1) * TAPS;
    const float *filters[LANES];
    float factors[LANES] = {0}, last[LANES * LANES * LANES];
    ptrdiff_t steps[LANES] = {0};
    for (ptrdiff_t l = 0; l < LANES; l++) {
        const ptrdiff_t o = first + block * BLOCK + l;
        filters[l] = none;
        if (l >= BLOCK || o >= p->outputs)
            continue;
        filters[l] = w + (adjoint ? o * TAPS : o * p->channels * TAPS) + begin * step;
        factors[l] = scale ? scale[o] : 1.0f;
        steps[l] = step;
    }
    for (ptrdiff_t c = begin; c < end; c++) {
        float *to = plan->filters + block * plan->block_step + c * BLOCK;
        if (c + 1 < end)
            plan->transforms->filter(filters, factors, adjoint, to, plan->filter_step);
        else
            plan->transforms->filter(filters, factors, adjoint, last, LANES);
        for (ptrdiff_t l = 0; l < LANES; l++)
            filters[l] += steps[l];
    }
    for (ptrdiff_t v = 0; v < plan->lines.values; v++)
        memcpy(plan->filters + block * plan->block_step + (end - 1) * BLOCK + v * plan->filter_step, last + v * LANES,
               BLOCK * sizeof(float));
}

/* The products of one value for all panels begin..end: sums over the channels. */
static void multiply_value(const Plan *plan, ptrdiff_t blocks, ptrdiff_t value, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t channels = plan->problem->channels;
    for (ptrdiff_t k = 0; k < channels; k += CHANNELS_SUMMED)
        for (ptrdiff_t panel = begin; panel < end; panel++) {
            const ptrdiff_t at = panel * plan->lines.values + value;
            multiply_in_runs(plan->multiply, least(CHANNELS_SUMMED, channels - k), blocks,
                             plan->filters + value * plan->filter_step + k * BLOCK, BLOCK, plan->block_step,
                             tiles_of(plan) + at * plan->tile_step + k * PANEL, products_of(plan) + at * plan->product_step,
                             BLOCK * PANEL, k > 0);
        }
}

/* One output in `count` rows of tiles; `place` is its number among those that are made at once. */
static void transform_output(const Plan *plan, Epilogue epilogue, ptrdiff_t output, ptrdiff_t place, ptrdiff_t first,
                             ptrdiff_t count, float *made)
{
    float *plane = own_plane(plan) + plan->plane_in;
    const ptrdiff_t tiles = count * plan->problem->x.tiles;
    for (ptrdiff_t t = 0; t < tiles; t += LANES) {
        const float *from = products_of(plan) + t / PANEL * plan->lines.values * plan->product_step + place * PANEL + t % PANEL;
        plan->transforms->output(from, plan->product_step, plane, plan->tile_out + t, plan->lines.size_out);
    }
    write_lines(&plan->lines, plane, epilogue, output, first, count, made);
}

/* The smallest number of parts of each of `units` equal units of work such that all threads have much the same. */
static ptrdiff_t parts_for(ptrdiff_t units, ptrdiff_t limit)
{
    const ptrdiff_t threads = omp_get_max_threads();
    ptrdiff_t parts = 1;
    while (parts < limit && units * parts < 8 * threads && units * parts % threads)
        parts++;
    return parts;
}

/* What a pass works on. */
typedef struct {
    const Plan *plan;
    const float *image, *w;
    int adjoint;
    Epilogue epilogue;
    float *made;
} Pass;

/* Filters of `some` outputs from `first` on; the threads share the work and do not wait for each other. */
static void share_filters(const Pass *pass, ptrdiff_t first, ptrdiff_t some)
{
    const ptrdiff_t channels = pass->plan->problem->channels, runs = over(channels, CHANNELS_AT_ONCE);
#pragma omp for schedule(dynamic) nowait
    for (ptrdiff_t unit = 0; unit < over(some, BLOCK) * runs; unit++) {
        const ptrdiff_t begin = unit % runs * CHANNELS_AT_ONCE, end = least(begin + CHANNELS_AT_ONCE, channels);
        transform_filters(pass->plan, pass->w, pass->adjoint, pass->epilogue.scale, first, unit / runs, begin, end);
    }
}

/* Each thread makes some rows from beginning to end. */
static void work_alone(const Pass *pass)
{
    const Plan *plan = pass->plan;
    const Winograd *p = plan->problem;
    share_filters(pass, 0, p->outputs);
#pragma omp barrier
#pragma omp for schedule(dynamic)
    for (ptrdiff_t row = 0; row < plan->rows; row += plan->rows_at_once) {
        const ptrdiff_t count = least(plan->rows_at_once, plan->rows - row);
        for (ptrdiff_t c = 0; c < p->channels; c++)
            transform_tiles(plan, pass->image, c, row, count);
        for (ptrdiff_t value = 0; value < plan->lines.values; value++)
            multiply_value(plan, over(p->outputs, BLOCK), value, 0, over(count * p->x.tiles, PANEL));
        for (ptrdiff_t o = 0; o < p->outputs; o++)
            transform_output(plan, pass->epilogue, o, o, row, count, pass->made);
    }
}

/* All threads make the same rows, step by step. */
static void work_together(const Pass *pass)
{
    const Plan *plan = pass->plan;
    const ptrdiff_t channels = plan->problem->channels, outputs = plan->problem->outputs, values = plan->lines.values;
    const int kept = plan->outputs_at_once >= outputs;
    for (ptrdiff_t row = 0; row < plan->rows; row += plan->rows_at_once) {
        const ptrdiff_t count = least(plan->rows_at_once, plan->rows - row);
        const ptrdiff_t panels = over(count * plan->problem->x.tiles, PANEL), parts = parts_for(values, panels);
#pragma omp for schedule(dynamic) nowait
        for (ptrdiff_t c = 0; c < channels; c++)
            transform_tiles(plan, pass->image, c, row, count);
        for (ptrdiff_t o = 0; o < outputs; o += plan->outputs_at_once) {
            const ptrdiff_t some = least(plan->outputs_at_once, outputs - o);
            if (!kept || row == 0)
                share_filters(pass, o, some);
#pragma omp barrier
#pragma omp for schedule(dynamic)
            for (ptrdiff_t unit = 0; unit < values * parts; unit++) {
                const ptrdiff_t part = unit % parts;
                multiply_value(plan, over(some, BLOCK), unit / parts, part * panels / parts, (part + 1) * panels / parts);
            }
#pragma omp for schedule(dynamic) nowait
            for (ptrdiff_t i = 0; i < some; i++)
                transform_output(plan, pass->epilogue, o + i, i, row, count, pass->made);
        }
    }
}

void winograd_forward(const Winograd *problem, const float *image, const float *w, int adjoint, Epilogue epilogue,
                      float *made, float *scratch, ptrdiff_t size)
{
    const Plan plan = winograd_plan(problem, scratch, size);
    const Pass pass = {&plan, image, w, adjoint, epilogue, made};
#pragma omp parallel
    {
        memset(own_plane(&plan), 0, plan.plane_in * sizeof(float));
        if (plan.alone)
            work_alone(&pass);
        else
            work_together(&pass);
    }
}
