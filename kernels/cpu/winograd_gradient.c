/* The gradient of the weights: for every value, a product of transformed gradients and transformed tiles, summed over the
 * tiles, and transformed back.
 *
 * Tiles are summed in segments of whole rows and the segments in order, so that the result depends neither on the number
 * of threads nor on how much scratch there is.
 */
#include <omp.h>
#include <string.h>

#include "gemm_tile.h"
#include "winograd_lines.h"
#include "winograd_transforms.h"

enum {
    OUTPUTS_STEP = 24, /* whole blocks and whole vectors */
    OUTPUTS_AT_ONCE = 96,
};

typedef struct {
    const Winograd *problem;
    Lines lines;
    const Transforms *transforms;
    PanelProduct multiply;
    ptrdiff_t rows, segment, rows_at_once; /* rows of tiles, over all images; rows_at_once is a multiple of segment */
    ptrdiff_t outputs_at_once, panels;     /* panels of channels */
    float *planes;                         /* a thread's: of LANES channels or outputs */
    ptrdiff_t plane_in, plane_out, plane;  /* of a channel, of an output, of a thread */
    float *tiles;                          /* [panel][value, tile_step][tile][PANEL channels] */
    float *gradients;                      /* [value, gradient_step][tile][output, output_step] */
    float *products;                       /* [panel][value, product_step][output][PANEL channels] */
    ptrdiff_t tile_step, output_step, gradient_step, product_step;
} Gradient;

static ptrdiff_t lay_out(Gradient *g, float *memory)
{
    const Winograd *p = g->problem;
    const Lines *lines = &g->lines;
    const ptrdiff_t tiles = g->rows_at_once * p->x.tiles, blocks = parts_of(g->outputs_at_once, BLOCK);
    g->plane_in = in_lines(g->segment * lines->n * lines->size_in + LANES);
    g->plane_out = in_lines(g->segment * lines->m * lines->size_out + LANES);
    g->plane = LANES * (g->plane_in + g->plane_out);
    g->panels = parts_of(p->channels, PANEL);
    g->tile_step = (tiles | 1) * PANEL;
    g->output_step = odd_lines(most(blocks * BLOCK, parts_of(g->outputs_at_once, LANES) * LANES));
    g->gradient_step = (tiles | 1) * g->output_step;
    g->product_step = (blocks * BLOCK | 1) * PANEL;
    ptrdiff_t used = lines_room(p);
    g->planes = place(memory, &used, omp_get_max_threads() * g->plane);
    g->tiles = place(memory, &used, g->panels * lines->values * g->tile_step);
    g->gradients = place(memory, &used, lines->values * g->gradient_step);
    g->products = place(memory, &used, g->panels * lines->values * g->product_step);
    return used + LINE;
}

static Gradient smallest(const Winograd *problem, float *memory)
{
    Gradient g = {.problem = problem, .lines = lines_in(problem, memory), .rows = problem->batch * problem->y.tiles};
    g.segment = least(most(RUN / most(problem->x.tiles, 1), 1), g.rows);
    g.rows_at_once = g.segment;
    g.outputs_at_once = least(OUTPUTS_STEP, problem->outputs);
    return g;
}

ptrdiff_t winograd_gradient_least(const Winograd *problem)
{
    Gradient g = smallest(problem, NULL);
    return lay_out(&g, NULL);
}

static int grow(Gradient *g, ptrdiff_t *number, ptrdiff_t step, ptrdiff_t limit, ptrdiff_t size)
{
    while (*number < limit) {
        const ptrdiff_t before = *number;
        *number = least(before + step, limit);
        if (lay_out(g, NULL) > size) {
            *number = before;
            return 0;
        }
    }
    return 1;
}

static Gradient plan(const Winograd *problem, float *scratch, ptrdiff_t size)
{
    float *memory = aligned(scratch);
    Gradient g = smallest(problem, memory);
    g.transforms = winograd_transforms((int)problem->y.m);
    g.multiply = panel_product();
    /* All outputs if their products leave half of the scratch to the tiles; else all tiles if they fit. */
    if (!grow(&g, &g.outputs_at_once, OUTPUTS_STEP, problem->outputs, size / 2))
        g.outputs_at_once = least(OUTPUTS_STEP, problem->outputs);
    grow(&g, &g.rows_at_once, g.segment, g.rows, size);
    if (g.outputs_at_once < problem->outputs)
        grow(&g, &g.outputs_at_once, OUTPUTS_STEP, least(problem->outputs, OUTPUTS_AT_ONCE), size);
    lay_out(&g, memory);
    return g;
}

/* Tiles of LANES channels in a segment; beyond the last channel, of the last one. */
static void transform_tiles(const Gradient *g, const float *image, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count,
                            ptrdiff_t at)
{
    const Winograd *p = g->problem;
    float *planes = g->planes + omp_get_thread_num() * g->plane;
    float *to = g->tiles + channel / PANEL * g->lines.values * g->tile_step + at * PANEL + channel % PANEL;
    int32_t offset[LANES];
    const Spots spots = {offset, g->lines.size_in, 1, 1};
    for (ptrdiff_t l = 0; l < LANES; l++) {
        offset[l] = (int32_t)(l * g->plane_in);
        read_lines(&g->lines, image, least(channel + l, p->channels - 1), first, count, planes + offset[l]);
    }
    for (ptrdiff_t t = 0; t < count * p->x.tiles; t++) {
        const float *corner = planes + t / p->x.tiles * g->lines.n * g->lines.size_in + g->lines.column_at[t % p->x.tiles];
        g->transforms->input(corner, spots, to + t * PANEL, g->tile_step);
    }
}

/* Tiles of the gradients of LANES outputs in a segment; `place` is the first one's among those made at once. */
static void transform_gradients(const Gradient *g, const float *gradient, ptrdiff_t output, ptrdiff_t place_, ptrdiff_t first,
                                ptrdiff_t count, ptrdiff_t at)
{
    const Winograd *p = g->problem;
    float *planes = g->planes + omp_get_thread_num() * g->plane + LANES * g->plane_in;
    float *to = g->gradients + at * g->output_step + place_;
    int32_t offset[LANES];
    const Spots spots = {offset, g->lines.size_out, 1, 1};
    for (ptrdiff_t l = 0; l < LANES; l++) {
        offset[l] = (int32_t)(l * g->plane_out);
        read_output_lines(&g->lines, gradient, least(output + l, p->outputs - 1), first, count, planes + offset[l]);
    }
    for (ptrdiff_t t = 0; t < count * p->x.tiles; t++) {
        const ptrdiff_t row = t / p->x.tiles, column = t % p->x.tiles;
        const float *corner = planes + row * g->lines.m * g->lines.size_out + column * g->lines.m;
        g->transforms->output_gradient(corner, spots, to + t * g->output_step, g->gradient_step);
    }
}

/* One value's products of `blocks` blocks of outputs and the panels begin..end, summed over the rows at hand. */
static void multiply_value(const Gradient *g, ptrdiff_t blocks, ptrdiff_t value, ptrdiff_t begin, ptrdiff_t end,
                           ptrdiff_t rows, int add)
{
    const ptrdiff_t width = g->problem->x.tiles;
    for (ptrdiff_t row = 0; row < rows; row += g->segment)
        for (ptrdiff_t panel = begin; panel < end; panel++) {
            const ptrdiff_t at = panel * g->lines.values + value, count = least(g->segment, rows - row) * width;
            multiply_in_runs(g->multiply, count, blocks,
                             g->gradients + value * g->gradient_step + row * width * g->output_step, g->output_step, BLOCK,
                             g->tiles + at * g->tile_step + row * width * PANEL, g->products + at * g->product_step,
                             BLOCK * PANEL, add || row > 0);
        }
}

/* Back to the taps of the filters of `count` outputs and a panel of channels. */
static void add_taps(const Gradient *g, ptrdiff_t panel, ptrdiff_t output, ptrdiff_t place_, ptrdiff_t count, float *dw)
{
    const ptrdiff_t channels = g->problem->channels, end = least((panel + 1) * PANEL, channels);
    const float *from = g->products + panel * g->lines.values * g->product_step + place_ * PANEL;
    float taps[TAPS * LANES];
    for (ptrdiff_t i = 0; i < count; i++, from += PANEL)
        for (ptrdiff_t c = panel * PANEL; c < end; c += LANES) {
            float *to = dw + ((output + i) * channels + c) * TAPS;
            g->transforms->filter_gradient(from + c % PANEL, g->product_step, taps);
            for (ptrdiff_t t = 0; t < least(LANES, end - c) * TAPS; t++)
                to[t] += taps[t];
        }
}

/* Steps of `step` in 0..n. */
#define FOR_STEPS(i, n, step) for (ptrdiff_t i = 0; i < (n); i += (step))

void winograd_backward_weights(const Winograd *problem, const float *image, const float *gradient, float *dw, float *scratch,
                               ptrdiff_t size)
{
    const Gradient g = plan(problem, scratch, size);
    const ptrdiff_t channels = problem->channels, outputs = problem->outputs, width = problem->x.tiles;
    const ptrdiff_t groups = parts_of(channels, LANES), parts = least(g.panels, 4);
#pragma omp parallel
    {
        memset(g.planes + omp_get_thread_num() * g.plane, 0, g.plane * sizeof(float));
        FOR_STEPS(o, outputs, g.outputs_at_once) {
            const ptrdiff_t some = least(g.outputs_at_once, outputs - o), blocks = parts_of(some, BLOCK);
            const ptrdiff_t vectors = parts_of(some, LANES);
            FOR_STEPS(row, g.rows, g.rows_at_once) {
                const ptrdiff_t count = least(g.rows_at_once, g.rows - row), segments = parts_of(count, g.segment);
                if (o == 0 || count < g.rows)
#pragma omp for schedule(dynamic) nowait
                    for (ptrdiff_t unit = 0; unit < groups * segments; unit++) {
                        const ptrdiff_t from = unit % segments * g.segment;
                        transform_tiles(&g, image, unit / segments * LANES, row + from, least(g.segment, count - from),
                                        from * width);
                    }
#pragma omp for schedule(dynamic)
                for (ptrdiff_t unit = 0; unit < vectors * segments; unit++) {
                    const ptrdiff_t from = unit % segments * g.segment, at = unit / segments * LANES;
                    transform_gradients(&g, gradient, o + at, at, row + from, least(g.segment, count - from), from * width);
                }
#pragma omp for schedule(dynamic)
                for (ptrdiff_t unit = 0; unit < g.lines.values * parts; unit++) {
                    const ptrdiff_t part = unit % parts;
                    multiply_value(&g, blocks, unit / parts, part * g.panels / parts, (part + 1) * g.panels / parts, count,
                                   row > 0);
                }
            }
#pragma omp for schedule(dynamic) nowait
            for (ptrdiff_t unit = 0; unit < g.panels * parts_of(some, OUTPUTS_STEP); unit++) {
                const ptrdiff_t panel = unit % g.panels, at = unit / g.panels * OUTPUTS_STEP;
                add_taps(&g, panel, o + at, at, least(OUTPUTS_STEP, some - at), dw);
            }
        }
    }
}
