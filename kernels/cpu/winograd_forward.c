#include <omp.h>
#include <string.h>

#include "winograd_plan.h"

enum {
    CHANNELS_AT_ONCE = 32,  /* of the filters that one thread transforms */
    CHANNELS_SUMMED = 512,  /* by one product: the longer, the more of the tiles is fetched ahead */
};

static float *own_plane(const Plan *plan) { return plan->planes + omp_get_thread_num() * plan->plane; }

/* All tiles of one channel in `count` rows. */
static void transform_tiles(const Plan *plan, const float *image, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count)
{
    float *plane = own_plane(plan);
    read_lines(&plan->lines, image, channel, first, count, plane);
    const ptrdiff_t tiles = count * plan->problem->x.tiles;
    for (ptrdiff_t t = 0; t < tiles; t += LANES) {
        float *to = plan->tiles + t / PANEL * plan->lines.values * plan->tile_step + channel * PANEL + t % PANEL;
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
                             plan->tiles + at * plan->tile_step + k * PANEL, plan->products + at * plan->product_step,
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
        const float *from = plan->products + t / PANEL * plan->lines.values * plan->product_step + place * PANEL + t % PANEL;
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

void winograd_forward(const Winograd *problem, const float *image, const float *w, int adjoint, Epilogue epilogue, float *made,
                      float *scratch, ptrdiff_t size)
{
    const Plan plan = winograd_plan(problem, scratch, size);
    const ptrdiff_t channels = problem->channels, outputs = problem->outputs;
    const int kept = plan.outputs_at_once >= outputs;
#pragma omp parallel
    {
        memset(own_plane(&plan), 0, plan.plane_in * sizeof(float));
        for (ptrdiff_t row = 0; row < plan.rows; row += plan.rows_at_once) {
            const ptrdiff_t count = least(plan.rows_at_once, plan.rows - row);
            const ptrdiff_t panels = over(count * problem->x.tiles, PANEL), parts = parts_for(plan.lines.values, panels);
#pragma omp for schedule(dynamic) nowait
            for (ptrdiff_t c = 0; c < channels; c++)
                transform_tiles(&plan, image, c, row, count);
            for (ptrdiff_t o = 0; o < outputs; o += plan.outputs_at_once) {
                const ptrdiff_t some = least(plan.outputs_at_once, outputs - o), blocks = over(some, BLOCK);
                const ptrdiff_t runs = over(channels, CHANNELS_AT_ONCE);
                if (!kept || row == 0)
#pragma omp for schedule(dynamic) nowait
                    for (ptrdiff_t unit = 0; unit < blocks * runs; unit++) {
                        const ptrdiff_t begin = unit % runs * CHANNELS_AT_ONCE;
                        transform_filters(&plan, w, adjoint, epilogue.scale, o, unit / runs, begin,
                                          least(begin + CHANNELS_AT_ONCE, channels));
                    }
#pragma omp barrier
#pragma omp for schedule(dynamic)
                for (ptrdiff_t unit = 0; unit < plan.lines.values * parts; unit++) {
                    const ptrdiff_t part = unit % parts;
                    multiply_value(&plan, blocks, unit / parts, part * panels / parts, (part + 1) * panels / parts);
                }
#pragma omp for schedule(dynamic) nowait
                for (ptrdiff_t i = 0; i < some; i++)
                    transform_output(&plan, epilogue, o + i, i, row, count, made);
            }
        }
    }
}
