#include <omp.h>
#include <string.h>

#include "shift_plan.h"
#include "simd.h"

enum {
    BLOCKS_AT_ONCE = 16, /* whose weights stay in a near cache */
    AHEAD = 2,           /* channels whose pixels are fetched meanwhile */
};

/* Outputs that are made at once. */
typedef struct {
    ptrdiff_t begin, count;
} Span;

static float *own(const Plan *plan) { return plan->own + omp_get_thread_num() * plan->own_size; }

/* The weights of one channel, tap by tap; zero where there are no more outputs. */
static void pack_weights(const Plan *plan, const float *w, const float *scale, Span outputs, ptrdiff_t channel)
{
    float *to = plan->weights + channel * plan->weight_step;
    memset(to, 0, plan->weight_step * sizeof(float));
    for (ptrdiff_t i = 0; i < outputs.count; i++) {
        const ptrdiff_t o = outputs.begin + i;
        const float *from = w + (o * plan->problem->channels + channel) * plan->taps, factor = scale ? scale[o] : 1.0f;
        for (ptrdiff_t t = 0; t < plan->taps; t++)
            to[t * plan->outputs_at_once + i] = from[t] * factor;
    }
}

/* Neighbouring pixels of a strip: where they lie in the image and in a row of the columns. */
typedef struct {
    ptrdiff_t from, panel, lane, count;
} Piece;

enum { MOST_PIECES = MOST_PANELS * PANEL };

static ptrdiff_t cut_strip(const Plan *plan, Strip strip, Piece *pieces)
{
    const Region *region = strip.region;
    const ptrdiff_t begin = strip.begin * PANEL, end = least(begin + strip.count * PANEL, region->pixels);
    ptrdiff_t found = 0;
    for (ptrdiff_t at = begin; at < end; at += pieces[found++].count) {
        const ptrdiff_t row = at / region->width, column = at % region->width, lane = (at - begin) % PANEL;
        pieces[found] = (Piece){(region->y.begin + row) * plan->problem->x.size + region->x.begin + column,
                                (at - begin) / PANEL, lane, least(least(region->width - column, PANEL - lane), end - at)};
    }
    return found;
}

/* The pieces of `count` channels, panel after panel; the last panel may not be filled up. */
static void pack_columns(const Plan *plan, const Piece *pieces, ptrdiff_t piece_count, const float *image, ptrdiff_t count,
                         float *columns)
{
    const ptrdiff_t pixels = plan->problem->y.size * plan->problem->x.size;
    for (ptrdiff_t c = 0; c < count; c++, image += pixels)
        for (const Piece *piece = pieces; piece < pieces + piece_count; piece++) {
            __builtin_prefetch(image + AHEAD * pixels + piece->from);
            memcpy(columns + (piece->panel * count + c) * PANEL + piece->lane, image + piece->from,
                   piece->count * sizeof(float));
        }
}

/* The products of a strip: sums over all channels. */
static void multiply_strip(const Plan *plan, PanelProduct multiply, Strip strip, const float *image)
{
    const Shift *p = plan->problem;
    const Region *region = strip.region;
    const ptrdiff_t blocks = region->run_step / (BLOCK * PANEL);
    float *columns = own(plan), *products = region->products + strip.begin * region->step;
    Piece pieces[MOST_PIECES];
    const ptrdiff_t piece_count = cut_strip(plan, strip, pieces);
    if (!p->channels)
        memset(products, 0, strip.count * region->step * sizeof(float));
    for (ptrdiff_t k = 0; k < p->channels; k += DEPTH) {
        const ptrdiff_t count = least(DEPTH, p->channels - k);
        pack_columns(plan, pieces, piece_count, image + k * p->y.size * p->x.size, count, columns);
        for (ptrdiff_t run = 0; run < region->runs; run++) {
            const ptrdiff_t tap = (region->y.first + run) * p->x.taps + region->x.first;
            const float *weights = plan->weights + k * plan->weight_step + tap * plan->outputs_at_once;
            for (ptrdiff_t block = 0; block < blocks; block += BLOCKS_AT_ONCE)
                for (ptrdiff_t q = 0; q < strip.count; q++)
                    multiply(count, least(BLOCKS_AT_ONCE, blocks - block), weights + block * BLOCK, plan->weight_step, BLOCK,
                             columns + q * count * PANEL,
                             products + q * region->step + run * region->run_step + block * BLOCK * PANEL, BLOCK * PANEL,
                             k > 0);
        }
    }
}

VECTORISED static void add_row(const float *from, float *to, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        to[i] += from[i];
}

VECTORISED static void finish(float *map, ptrdiff_t n, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        map[i] = rectified(map[i], slope);
}

/* A region's products of one row, shifted, to the map. */
static void add_region(const Plan *plan, const Region *region, ptrdiff_t row_at, ptrdiff_t down, ptrdiff_t across, float *map)
{
    const ptrdiff_t width = plan->problem->x.out;
    float *line = own(plan);
    for (ptrdiff_t q = 0; q < region->panels; q++)
        memcpy(line + q * PANEL, region->products + q * region->step + row_at, PANEL * sizeof(float));
    for (ptrdiff_t y = region->y.begin; y < region->y.end; y++, line += region->width)
        add_row(line, map + (y + down) * width + region->x.begin + across, region->width);
}

/* Output `place` of those at hand. */
static void add_taps(const Plan *plan, Epilogue epilogue, Span outputs, ptrdiff_t place_, float *made)
{
    const Shift *p = plan->problem;
    const ptrdiff_t size = p->y.out * p->x.out, o = outputs.begin + place_;
    float *map = made + o * size;
    const float bias = epilogue.bias ? epilogue.bias[o] : 0.0f;
    for (ptrdiff_t i = 0; i < size; i++)
        map[i] = bias;
    for (ptrdiff_t r = 0; r < plan->region_count; r++) {
        const Region *region = plan->regions + r;
        const ptrdiff_t ys = region->y.last - region->y.first, xs = region->x.last - region->x.first;
        for (ptrdiff_t tap = 0; tap < ys * xs; tap++) {
            const ptrdiff_t u = region->y.first + tap / xs, v = region->x.first + tap % xs;
            const ptrdiff_t row = tap % region->taps_of_run * plan->outputs_at_once + place_;
            add_region(plan, region, tap / region->taps_of_run * region->run_step + row * PANEL, p->y.pad - u * p->y.rate,
                       p->x.pad - v * p->x.rate, map);
        }
    }
    if (epilogue.relu)
        finish(map, size, epilogue.slope);
}

void shift_forward(const Shift *problem, const float *image, const float *w, Epilogue epilogue, float *made, float *scratch,
                   ptrdiff_t size)
{
    Plan plan = shift_plan(problem, scratch, size);
    const PanelProduct multiply = panel_product();
    const ptrdiff_t pixels = problem->y.size * problem->x.size, places = problem->y.out * problem->x.out;
#pragma omp parallel
    for (ptrdiff_t o = 0; o < problem->outputs; o += plan.outputs_at_once) {
        const Span outputs = {o, least(plan.outputs_at_once, problem->outputs - o)};
#pragma omp for schedule(static)
        for (ptrdiff_t c = 0; c < problem->channels; c++)
            pack_weights(&plan, w, epilogue.scale, outputs, c);
        for (ptrdiff_t n = 0; n < problem->batch; n++) {
#pragma omp for schedule(dynamic)
            for (ptrdiff_t i = 0; i < plan.strip_count; i++)
                multiply_strip(&plan, multiply, plan.strips[i], image + n * problem->channels * pixels);
#pragma omp for schedule(dynamic)
            for (ptrdiff_t i = 0; i < outputs.count; i++)
                add_taps(&plan, epilogue, outputs, i, made + n * problem->outputs * places);
        }
    }
}
