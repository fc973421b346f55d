#include <omp.h>
#include <string.h>

#include "winograd_desk.h"

enum {
    CHANNELS_AT_ONCE = 64,  /* of the filters that one thread transforms */
    CHANNELS_SUMMED = 128,  /* by one product: a panel of tiles and the next one share the nearest cache */
    CHANNELS_AHEAD = 8,     /* of filters that are fetched while others are transformed */
    MANY_IN_TURN = 16,      /* channels or outputs whose tiles one thread transforms: they lie side by side */
};

/* What a pass works on. */
typedef struct {
    const Plan *plan;
    const float *w;
    int adjoint;
    Epilogue epilogue;
} Pass;

/* The next ones, at most `step`, before `end`. */
static Span span_from(ptrdiff_t begin, ptrdiff_t step, ptrdiff_t end) { return (Span){begin, least(step, end - begin)}; }

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
static void transform_tiles(const Desk *desk, Span channels, ptrdiff_t place)
{
    const Plan *plan = desk->plan;
    float *to = tiles_of(plan, channels) + place * PANEL;
    read_rows(&plan->rows, desk->rows, channels.begin + place, desk->in);
    for (ptrdiff_t t = 0; t < desk->tiles; t += LANES) {
        float *panel = to + t / PANEL * plan->rows.values * plan->tile_step;
        plan->transforms->input(desk->in, spots_in(desk, t), panel + t % PANEL, plan->tile_step);
    }
}

/* A block of filters, from `begin` to `end` of the channels at hand. Eight lanes are written, the last two to be
 * overwritten. */
static void transform_filters(const Pass *pass, Span outputs, Span channels, ptrdiff_t block, ptrdiff_t begin, ptrdiff_t end)
{
    static const float none[TAPS] = {0};
    const Plan *plan = pass->plan;
    const ptrdiff_t step = (pass->adjoint ? plan->outputs : 1) * TAPS;
    float *to = filters_of(plan, channels) + block * plan->block_step;
    const float *filters[LANES];
    float factors[LANES] = {0}, last[LANES * LANES * LANES];
    ptrdiff_t steps[LANES] = {0};
    for (ptrdiff_t l = 0; l < LANES; l++) {
        const ptrdiff_t o = outputs.begin + block * BLOCK + l;
        filters[l] = none;
        if (l >= BLOCK || o >= plan->outputs)
            continue;
        filters[l] = pass->w + (pass->adjoint ? o : o * plan->channels) * TAPS + (channels.begin + begin) * step;
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
static void transform_output(const Pass *pass, const Desk *desk, Span outputs, ptrdiff_t place)
{
    const Plan *plan = desk->plan;
    const float *from = products_of(plan) + place * PANEL;
    for (ptrdiff_t t = 0; t < desk->tiles; t += LANES) {
        const float *panel = from + t / PANEL * plan->rows.values * plan->product_step;
        plan->transforms->output(panel + t % PANEL, plan->product_step, desk->out, spots_out(desk, t));
    }
    write_rows(&plan->rows, desk->rows, desk->out, pass->epilogue, outputs.begin + place);
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

/* How many of `count` channels or outputs a thread takes at a time. */
static ptrdiff_t in_turn(ptrdiff_t count)
{
    return most(1, least(MANY_IN_TURN, count / (2 * omp_get_num_threads())));
}

/* The threads share the tiles of some channels and do not wait for each other. */
static void share_tiles(const Desk *desk, Span channels)
{
#pragma omp for schedule(dynamic, in_turn(channels.count)) nowait
    for (ptrdiff_t i = 0; i < channels.count; i++)
        transform_tiles(desk, channels, i);
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

static void share_products(const Desk *desk, Span outputs, Span channels)
{
    const Plan *plan = desk->plan;
    const ptrdiff_t values = plan->rows.values, panels = parts_of(desk->tiles, PANEL);
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
    const Span outputs = {0, plan->outputs}, channels = {0, plan->channels};
    share_filters(pass, outputs, channels);
#pragma omp barrier
#pragma omp for schedule(dynamic)
    for (ptrdiff_t part = 0; part < plan->part_count; part++) {
        const Desk desk = desk_for(plan, part);
        for (ptrdiff_t i = 0; i < plan->channels; i++)
            transform_tiles(&desk, channels, i);
        for (ptrdiff_t value = 0; value < plan->rows.values; value++)
            multiply_value(plan, outputs, channels, value, 0, parts_of(desk.tiles, PANEL));
        for (ptrdiff_t i = 0; i < plan->outputs; i++)
            transform_output(pass, &desk, outputs, i);
    }
}

/* Sums over all channels; what was transformed before is used again. */
static void sum_channels(const Pass *pass, const Desk *desk, Span outputs)
{
    const Plan *plan = pass->plan;
    for (ptrdiff_t k = 0; k < plan->channels; k += plan->channels_at_once) {
        const Span channels = span_from(k, plan->channels_at_once, plan->channels);
        const int all = channels.count == plan->channels;
        if (!all || outputs.begin == 0)
            share_tiles(desk, channels);
        if (!all || outputs.count < plan->outputs || desk->rows.begin == 0)
            share_filters(pass, outputs, channels);
#pragma omp barrier
        share_products(desk, outputs, channels);
    }
#pragma omp barrier
}

/* All threads make the same rows, step by step. */
static void work_together(const Pass *pass)
{
    const Plan *plan = pass->plan;
    for (ptrdiff_t part = 0; part < plan->part_count; part++) {
        const Desk desk = desk_for(plan, part);
        for (ptrdiff_t o = 0; o < plan->outputs; o += plan->outputs_at_once) {
            const Span outputs = span_from(o, plan->outputs_at_once, plan->outputs);
            sum_channels(pass, &desk, outputs);
#pragma omp for schedule(dynamic, in_turn(outputs.count)) nowait
            for (ptrdiff_t i = 0; i < outputs.count; i++)
                transform_output(pass, &desk, outputs, i);
        }
    }
}

void winograd_forward(Batch *batches, ptrdiff_t count, const float *w, int adjoint, Epilogue epilogue, float *scratch,
                      ptrdiff_t size)
{
    const Plan plan = winograd_plan(batches, count, scratch, size);
    const Pass pass = {&plan, w, adjoint, epilogue};
#pragma omp parallel
    {
        if (plan.alone)
            work_alone(&pass);
        else
            work_together(&pass);
    }
}
