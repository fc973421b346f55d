#include <omp.h>
#include <string.h>

#include "winograd_plan.h"

enum {
    CHANNELS_AT_ONCE = 32,  /* of the filters that one thread transforms */
    CHANNELS_SUMMED = 128,  /* by one product: a panel of tiles and the next one share the nearest cache */
    CHANNELS_AHEAD = 8,     /* of filters that are fetched while others are transformed */
    IN_TURN = 4,            /* channels or outputs whose tiles one thread transforms */
};

/* What a pass works on. */
typedef struct {
    const Plan *plan;
    const float *image, *w;
    int adjoint;
    Epilogue epilogue;
    float *made;
} Pass;

/* Rows of tiles, outputs or channels. */
typedef struct {
    ptrdiff_t begin, count;
} Span;

/* The next ones, at most `step`, before `end`. */
static Span span_from(ptrdiff_t begin, ptrdiff_t step, ptrdiff_t end) { return (Span){begin, least(step, end - begin)}; }

static float *own_plane(const Plan *plan) { return plan->planes + omp_get_thread_num() * plan->plane; }

/* While some channels are multiplied the next ones are transformed. */
static ptrdiff_t turn_of(const Plan *plan, Span channels) { return channels.begin / plan->channels_at_once % 2; }

static float *tiles_of(const Plan *plan, Span channels)
{
    return plan->tiles + (plan->alone ? omp_get_thread_num() : turn_of(plan, channels)) * plan->tiles_size;
}

static float *filters_of(const Plan *plan, Span channels)
{
    return plan->filters + turn_of(plan, channels) * plan->filters_size;
}

static float *products_of(const Plan *plan)
{
    return plan->products + (plan->alone ? omp_get_thread_num() : 0) * plan->products_size;
}

/* All tiles of channel `place` of those at hand. */
static void transform_tiles(const Pass *pass, Span rows, Span channels, ptrdiff_t place)
{
    const Plan *plan = pass->plan;
    float *plane = own_plane(plan);
    read_rows(&plan->rows, pass->image, channels.begin + place, rows.begin, rows.count, plane);
    const ptrdiff_t tiles = rows.count * plan->problem->x.tiles;
    for (ptrdiff_t t = 0; t < tiles; t += LANES) {
        float *to = tiles_of(plan, channels) + t / PANEL * plan->rows.values * plan->tile_step + place * PANEL + t % PANEL;
        const Spots spots = {plan->tile_in + t, plan->rows.size_in, plan->problem->x.rate, plan->together[t / LANES]};
        plan->transforms->input(plane, spots, to, plan->tile_step);
    }
}

/* A block of filters, from `begin` to `end` of the channels at hand. Eight lanes are written, the last two to be
 * overwritten. */
static void transform_filters(const Pass *pass, Span outputs, Span channels, ptrdiff_t block, ptrdiff_t begin, ptrdiff_t end)
{
    static const float none[TAPS] = {0};
    const Plan *plan = pass->plan;
    const Winograd *p = plan->problem;
    const ptrdiff_t step = (pass->adjoint ? p->outputs : 1) * TAPS;
    float *to = filters_of(plan, channels) + block * plan->block_step;
    const float *filters[LANES];
    float factors[LANES] = {0}, last[LANES * LANES * LANES];
    ptrdiff_t steps[LANES] = {0};
    for (ptrdiff_t l = 0; l < LANES; l++) {
        const ptrdiff_t o = outputs.begin + block * BLOCK + l;
        filters[l] = none;
        if (l >= BLOCK || o >= p->outputs)
            continue;
        filters[l] = pass->w + (pass->adjoint ? o * TAPS : o * p->channels * TAPS) + (channels.begin + begin) * step;
        factors[l] = pass->epilogue.scale ? pass->epilogue.scale[o] : 1.0f;
        steps[l] = step;
    }
    for (ptrdiff_t c = begin; c < end; c++) {
        if (c + 1 < end)
            plan->transforms->filter(filters, factors, pass->adjoint, to + c * BLOCK, plan->filter_step);
        else
            plan->transforms->filter(filters, factors, pass->adjoint, last, LANES);
        for (ptrdiff_t l = 0; l < LANES; l++) {
            filters[l] += steps[l];
            __builtin_prefetch(filters[l] + CHANNELS_AHEAD * steps[l]);
        }
    }
    for (ptrdiff_t v = 0; v < plan->rows.values; v++)
        memcpy(to + (end - 1) * BLOCK + v * plan->filter_step, last + v * LANES, BLOCK * sizeof(float));
}

/* One value's products with one panel: sums over `count` channels from `k` on of those at hand. Meanwhile the next panel is
 * fetched. */
static void multiply_panel(const Plan *plan, Span outputs, Span channels, ptrdiff_t k, ptrdiff_t count, ptrdiff_t value,
                           ptrdiff_t panel)
{
    const ptrdiff_t at = panel * plan->rows.values + value, blocks = parts_of(outputs.count, BLOCK);
    const float *filters = filters_of(plan, channels) + value * plan->filter_step + k * BLOCK;
    const float *tiles = tiles_of(plan, channels) + at * plan->tile_step + k * PANEL;
    const float *next = tiles + plan->rows.values * plan->tile_step;
    float *products = products_of(plan) + at * plan->product_step;
    for (ptrdiff_t i = 0; i < blocks; i += 2) {
        const ptrdiff_t some = least(2, blocks - i);
        for (ptrdiff_t t = i * count / blocks; t < (i + some) * count / blocks; t++)
            __builtin_prefetch(next + t * PANEL);
        multiply_in_runs(plan->multiply, count, some, filters + i * plan->block_step, BLOCK, plan->block_step, tiles,
                         products + i * BLOCK * PANEL, BLOCK * PANEL, channels.begin + k > 0);
    }
}

/* The same with all channels at hand and the panels begin..end. */
static void multiply_value(const Plan *plan, Span outputs, Span channels, ptrdiff_t value, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t k = 0; k < channels.count; k += CHANNELS_SUMMED)
        for (ptrdiff_t panel = begin; panel < end; panel++)
            multiply_panel(plan, outputs, channels, k, least(CHANNELS_SUMMED, channels.count - k), value, panel);
}

/* Output `place` of those at hand. */
static void transform_output(const Pass *pass, Span rows, Span outputs, ptrdiff_t place)
{
    const Plan *plan = pass->plan;
    float *plane = own_plane(plan) + plan->plane_in;
    const ptrdiff_t tiles = rows.count * plan->problem->x.tiles;
    for (ptrdiff_t t = 0; t < tiles; t += LANES) {
        const float *from = products_of(plan) + t / PANEL * plan->rows.values * plan->product_step + place * PANEL + t % PANEL;
        const Spots spots = {plan->tile_out + t, plan->rows.size_out, plan->problem->x.rate, plan->together[t / LANES]};
        plan->transforms->output(from, plan->product_step, plane, spots);
    }
    write_rows(&plan->rows, plane, pass->epilogue, outputs.begin + place, rows.begin, rows.count, pass->made);
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

/* The threads share the tiles of some channels and do not wait for each other. */
static void share_tiles(const Pass *pass, Span rows, Span channels)
{
#pragma omp for schedule(dynamic, IN_TURN) nowait
    for (ptrdiff_t i = 0; i < channels.count; i++)
        transform_tiles(pass, rows, channels, i);
}

/* The same for filters. */
static void share_filters(const Pass *pass, Span outputs, Span channels)
{
    const ptrdiff_t runs = parts_of(channels.count, CHANNELS_AT_ONCE);
#pragma omp for schedule(dynamic) nowait
    for (ptrdiff_t unit = 0; unit < parts_of(outputs.count, BLOCK) * runs; unit++) {
        const ptrdiff_t begin = unit % runs * CHANNELS_AT_ONCE;
        transform_filters(pass, outputs, channels, unit / runs, begin, least(begin + CHANNELS_AT_ONCE, channels.count));
    }
}

static void share_products(const Plan *plan, Span rows, Span outputs, Span channels)
{
    const ptrdiff_t values = plan->rows.values, panels = parts_of(rows.count * plan->problem->x.tiles, PANEL);
    const ptrdiff_t parts = parts_for(values, panels);
#pragma omp for schedule(dynamic) nowait
    for (ptrdiff_t unit = 0; unit < values * parts; unit++) {
        const ptrdiff_t part = unit % parts;
        multiply_value(plan, outputs, channels, unit / parts, part * panels / parts, (part + 1) * panels / parts);
    }
}

/* Each thread makes some rows from beginning to end. */
static void work_alone(const Pass *pass)
{
    const Plan *plan = pass->plan;
    const Winograd *p = plan->problem;
    const Span outputs = {0, p->outputs}, channels = {0, p->channels};
    share_filters(pass, outputs, channels);
#pragma omp barrier
#pragma omp for schedule(dynamic)
    for (ptrdiff_t row = 0; row < plan->all_rows; row += plan->rows_at_once) {
        const Span rows = span_from(row, plan->rows_at_once, plan->all_rows);
        for (ptrdiff_t i = 0; i < p->channels; i++)
            transform_tiles(pass, rows, channels, i);
        for (ptrdiff_t value = 0; value < plan->rows.values; value++)
            multiply_value(plan, outputs, channels, value, 0, parts_of(rows.count * p->x.tiles, PANEL));
        for (ptrdiff_t i = 0; i < p->outputs; i++)
            transform_output(pass, rows, outputs, i);
    }
}

/* Sums over all channels; what was transformed before is used again. */
static void sum_channels(const Pass *pass, Span rows, Span outputs)
{
    const Plan *plan = pass->plan;
    const Winograd *p = plan->problem;
    for (ptrdiff_t k = 0; k < p->channels; k += plan->channels_at_once) {
        const Span channels = span_from(k, plan->channels_at_once, p->channels);
        const int all = channels.count == p->channels;
        if (!all || outputs.begin == 0)
            share_tiles(pass, rows, channels);
        if (!all || outputs.count < p->outputs || rows.begin == 0)
            share_filters(pass, outputs, channels);
#pragma omp barrier
        share_products(plan, rows, outputs, channels);
    }
#pragma omp barrier
}

/* All threads make the same rows, step by step. */
static void work_together(const Pass *pass)
{
    const Plan *plan = pass->plan;
    const ptrdiff_t count = plan->problem->outputs;
    for (ptrdiff_t row = 0; row < plan->all_rows; row += plan->rows_at_once) {
        const Span rows = span_from(row, plan->rows_at_once, plan->all_rows);
        for (ptrdiff_t o = 0; o < count; o += plan->outputs_at_once) {
            const Span outputs = span_from(o, plan->outputs_at_once, count);
            sum_channels(pass, rows, outputs);
#pragma omp for schedule(dynamic, IN_TURN) nowait
            for (ptrdiff_t i = 0; i < outputs.count; i++)
                transform_output(pass, rows, outputs, i);
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
