#include "conv_packed.h"

#include <omp.h>
#include <string.h>

#include "conv_strip.h"
#include "gemm_tile_body.h"

enum {
    FEWEST_PANELS = 4,        /* of a strip */
    STRIP_PRODUCTS = 1 << 16, /* floats of a strip's products that stay in a near cache */
    BLOCKS_AT_ONCE = 16,      /* whose weights do so too */
    AHEAD = 16,               /* outputs whose places are fetched ahead: the hardware does not look beyond a page */
};

/* A matrix product per group: made [outputs, positions] = weights [outputs, depth] times columns [depth, positions]. */
typedef struct {
    const Window *window;
    ptrdiff_t batch, groups, outputs, depth, channels; /* outputs and channels of a group */
    ptrdiff_t blocks, block_step, panels;              /* panels of all positions */
    ptrdiff_t panel_step;                              /* a line more than a panel has: they meet other cache lines */
    ptrdiff_t strip, strips;                           /* most panels of a strip */
} Packed;

static Packed packed(const Convolution *conv)
{
    Packed p = {.window = &conv->window, .batch = conv->batch, .groups = conv->groups};
    p.outputs = conv->outputs / conv->groups;
    p.channels = conv->channels / conv->groups;
    p.depth = p.channels * conv->window.taps;
    p.blocks = over(p.outputs, BLOCK);
    p.block_step = p.depth * BLOCK;
    p.panels = over(conv->window.positions, PANEL);
    p.panel_step = (least(DEPTH, p.depth) + 1) * PANEL;
    const ptrdiff_t fit = most(FEWEST_PANELS, least(WIDEST, STRIP_PRODUCTS / (p.blocks * BLOCK * PANEL)));
    p.strips = count_strips(p.batch * p.groups, p.panels, fit);
    p.strip = over(p.panels, p.strips);
    return p;
}

static ptrdiff_t weights_size(const Packed *p) { return p->groups * p->blocks * p->block_step; }
static ptrdiff_t columns_size(const Packed *p) { return p->panel_step * p->strip; }
static ptrdiff_t thread_size(const Packed *p) { return columns_size(p) + p->blocks * BLOCK * p->strip * PANEL; }

ptrdiff_t conv_packed_size(const Convolution *conv)
{
    const Packed p = packed(conv);
    return weights_size(&p) + omp_get_max_threads() * thread_size(&p);
}

/* Block after block, the weights of BLOCK outputs term by term. */
static void pack_block(const Packed *p, const float *w, const float *scale, ptrdiff_t unit, float *packed_weights)
{
    const ptrdiff_t first_output = unit / p->blocks * p->outputs;
    const Weights weights = {w + first_output * p->depth, scale ? scale + first_output : NULL, p->outputs, p->depth};
    for (ptrdiff_t k = 0; k < p->depth; k += TERMS_AT_ONCE)
        weights_block(&weights, unit % p->blocks * BLOCK, k, least(TERMS_AT_ONCE, p->depth - k),
                      packed_weights + unit * p->block_step + k * BLOCK);
}

/* Terms k..k + count of the columns at positions begin..end, panel after panel. */
static void pack_columns(const Packed *p, const float *image, ptrdiff_t k, ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end,
                         float *columns)
{
    float line[WIDEST * PANEL];
    const ptrdiff_t panels = over(end - begin, PANEL);
    for (ptrdiff_t t = 0; t < count; t++) {
        const float *from = columns_line(p->window, image, k + t, begin, end, panels * PANEL, line);
        for (ptrdiff_t q = 0; q < panels; q++)
            memcpy(columns + q * p->panel_step + t * PANEL, from + q * PANEL, PANEL * sizeof(float));
    }
}

/* All outputs of one group and image at the positions of panels begin..end. */
static void make_strip(const Packed *p, PanelProduct multiply, const float *image, const float *weights, Epilogue epilogue,
                       ptrdiff_t first_output, const float *other, float *made, ptrdiff_t begin_panel, ptrdiff_t end_panel,
                       float *own)
{
    const ptrdiff_t begin = begin_panel * PANEL, end = least(end_panel * PANEL, p->window->positions);
    const ptrdiff_t panels = end_panel - begin_panel, step = p->blocks * BLOCK * PANEL;
    float *columns = own, *sums = own + columns_size(p);
    for (ptrdiff_t k = 0; k == 0 || k < p->depth; k += DEPTH) {
        const ptrdiff_t count = least(DEPTH, p->depth - k);
        pack_columns(p, image, k, count, begin, end, columns);
        for (ptrdiff_t block = 0; block < p->blocks; block += BLOCKS_AT_ONCE)
            for (ptrdiff_t q = 0; q < panels; q++)
                multiply(count, least(BLOCKS_AT_ONCE, p->blocks - block), weights + block * p->block_step + k * BLOCK, BLOCK,
                         p->block_step, columns + q * p->panel_step, sums + q * step + block * BLOCK * PANEL, BLOCK * PANEL,
                         k > 0);
    }
    for (ptrdiff_t o = 0; o < p->outputs; o++) {
        const ptrdiff_t place = o * p->window->positions + begin;
        const float *later = made + place + AHEAD * p->window->positions;
        for (ptrdiff_t q = 0; q < panels; q++)
            __builtin_prefetch(later + q * PANEL, 1);
        store_line(sums + o * PANEL, step, other ? other + place : NULL, made + place, end - begin,
                   epilogue.bias ? epilogue.bias[first_output + o] : 0.0f, epilogue.relu, epilogue.slope);
    }
}

void conv_forward_packed(const Convolution *conv, const float *x, const float *w, Epilogue epilogue, const float *other,
                         float *y, float *scratch)
{
    const Packed p = packed(conv);
    const PanelProduct multiply = panel_product();
    float *owned = scratch + weights_size(&p);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (ptrdiff_t unit = 0; unit < p.groups * p.blocks; unit++)
            pack_block(&p, w, epilogue.scale, unit, scratch);
#pragma omp for schedule(dynamic)
        for (ptrdiff_t unit = 0; unit < p.batch * p.groups * p.strips; unit++) {
            const ptrdiff_t image = unit / p.strips, strip = unit % p.strips, group = image % p.groups;
            const ptrdiff_t place = image * p.outputs * p.window->positions;
            make_strip(&p, multiply, x + image * p.channels * p.window->pixels, scratch + group * p.blocks * p.block_step,
                       epilogue, group * p.outputs, other ? other + place : NULL, y + place, strip * p.panels / p.strips,
                       (strip + 1) * p.panels / p.strips, owned + omp_get_thread_num() * thread_size(&p));
        }
    }
}
