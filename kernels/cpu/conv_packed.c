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
    ptrdiff_t groups, outputs, depth, channels; /* outputs and channels of a group */
    ptrdiff_t blocks, block_step;
    ptrdiff_t panel_step; /* a line more than a panel has: they meet other cache lines */
    ptrdiff_t strip;      /* most panels of a strip */
} Packed;

static Packed packed(const Pictures *pictures)
{
    Packed p = {.groups = pictures->groups};
    p.outputs = pictures->outputs / p.groups;
    p.channels = pictures->channels / p.groups;
    p.depth = p.channels * pictures->all->window.taps;
    p.blocks = parts_of(p.outputs, BLOCK);
    p.block_step = p.depth * BLOCK;
    p.panel_step = (least(DEPTH, p.depth) + 1) * PANEL;
    p.strip = widest_strip(pictures, PANEL,
                           most(FEWEST_PANELS, least(WIDEST, STRIP_PRODUCTS / (p.blocks * BLOCK * PANEL))));
    return p;
}

static ptrdiff_t weights_size(const Packed *p) { return p->groups * p->blocks * p->block_step; }
static ptrdiff_t columns_size(const Packed *p) { return p->panel_step * p->strip; }
static ptrdiff_t thread_size(const Packed *p) { return columns_size(p) + p->blocks * BLOCK * p->strip * PANEL; }

ptrdiff_t conv_packed_size(const Pictures *pictures)
{
    const Packed p = packed(pictures);
    return weights_size(&p) + omp_get_max_threads() * thread_size(&p);
}

/* The weights of BLOCK outputs, term by term. */
static void pack_block(const Packed *p, const Weights *weights, ptrdiff_t block, float *packed_weights)
{
    for (ptrdiff_t k = 0; k < p->depth; k += TERMS_AT_ONCE)
        weights_block(weights, block * BLOCK, k, least(TERMS_AT_ONCE, p->depth - k), packed_weights + k * BLOCK);
}

/* Terms k..k + count of the columns at positions begin..end, panel after panel. */
static void pack_columns(const Packed *p, const Window *window, const float *image, ptrdiff_t k, ptrdiff_t count,
                         ptrdiff_t begin, ptrdiff_t end, float *columns)
{
    float line[WIDEST * PANEL];
    const ptrdiff_t panels = parts_of(end - begin, PANEL);
    for (ptrdiff_t t = 0; t < count; t++) {
        const float *from = columns_line(window, image, k + t, begin, end, panels * PANEL, line);
        for (ptrdiff_t q = 0; q < panels; q++)
            memcpy(columns + q * p->panel_step + t * PANEL, from + q * PANEL, PANEL * sizeof(float));
    }
}

/* All outputs of a group of an image at the positions of a strip. */
static void make_strip(const Packed *p, PanelProduct multiply, const Strip *strip, const float *weights, Epilogue epilogue,
                       float *own)
{
    const Picture *picture = strip->picture;
    const ptrdiff_t positions = picture->window.positions, begin = strip->begin, end = strip->end;
    const ptrdiff_t group = strip->part % p->groups, panels = parts_of(end - begin, PANEL), step = p->blocks * BLOCK * PANEL;
    const float *image = picture->x + strip->part * p->channels * picture->window.pixels;
    float *columns = own, *sums = own + columns_size(p);
    weights += group * p->blocks * p->block_step;
    for (ptrdiff_t k = 0; k == 0 || k < p->depth; k += DEPTH) {
        const ptrdiff_t count = least(DEPTH, p->depth - k);
        pack_columns(p, &picture->window, image, k, count, begin, end, columns);
        for (ptrdiff_t block = 0; block < p->blocks; block += BLOCKS_AT_ONCE)
            for (ptrdiff_t q = 0; q < panels; q++)
                multiply(count, least(BLOCKS_AT_ONCE, p->blocks - block), weights + block * p->block_step + k * BLOCK, BLOCK,
                         p->block_step, columns + q * p->panel_step, sums + q * step + block * BLOCK * PANEL, BLOCK * PANEL,
                         k > 0);
    }
    for (ptrdiff_t o = 0; o < p->outputs; o++) {
        const ptrdiff_t place = (strip->part * p->outputs + o) * positions + begin;
        const float *later = picture->y + place + AHEAD * positions;
        for (ptrdiff_t q = 0; q < panels; q++)
            __builtin_prefetch(later + q * PANEL, 1);
        store_line(sums + o * PANEL, step, picture->other ? picture->other + place : NULL, picture->y + place, end - begin,
                   epilogue.bias ? epilogue.bias[group * p->outputs + o] : 0.0f, epilogue.relu, epilogue.slope);
    }
}

void conv_forward_packed(const Pictures *pictures, const float *w, int adjoint, Epilogue epilogue, float *scratch)
{
    const Packed p = packed(pictures);
    const PanelProduct multiply = panel_product();
    Queue queue = queue_strips(pictures, p.groups, PANEL, p.strip);
#pragma omp parallel
    {
        float *own = scratch + weights_size(&p) + omp_get_thread_num() * thread_size(&p);
#pragma omp for schedule(static)
        for (ptrdiff_t unit = 0; unit < p.groups * p.blocks; unit++) {
            const ptrdiff_t first = unit / p.blocks * p.outputs;
            const Weights weights = weights_of(pictures, w, adjoint, epilogue.scale, first, p.outputs);
            pack_block(&p, &weights, unit % p.blocks, scratch + unit * p.block_step);
        }
        for (Strip strip; take_strip(&queue, &strip);)
            make_strip(&p, multiply, &strip, scratch, epilogue, own);
    }
}
