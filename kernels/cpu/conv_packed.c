#include "conv_packed.h"

#include <omp.h>
#include <string.h>

#include "gemm_tile_body.h"
#include "simd.h"

enum {
    MOST_PANELS = 16,         /* of a strip */
    FEWEST_PANELS = 4,
    STRIP_PRODUCTS = 1 << 16, /* floats of a strip's products that stay in a near cache */
    BLOCKS_AT_ONCE = 16,      /* whose weights do so too */
    AHEAD = 16,               /* rows of an image that are fetched ahead: the hardware does not look beyond a page */
};

/* A matrix product per group: made [outputs, positions] = weights [outputs, depth] times columns [depth, positions]. */
typedef struct {
    const Window *window;
    ptrdiff_t batch, groups, outputs, depth, channels; /* outputs and channels of a group */
    ptrdiff_t blocks, block_step, panels;              /* panels of all positions */
    ptrdiff_t strip, strips;                           /* most panels of a strip */
} Packed;

static ptrdiff_t over(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

static Packed packed(const Convolution *conv)
{
    const ptrdiff_t threads = omp_get_max_threads();
    Packed p = {.window = &conv->window, .batch = conv->batch, .groups = conv->groups};
    p.outputs = conv->outputs / conv->groups;
    p.channels = conv->channels / conv->groups;
    p.depth = p.channels * conv->window.taps;
    p.blocks = over(p.outputs, BLOCK);
    p.block_step = p.depth * BLOCK;
    p.panels = over(conv->window.positions, PANEL);
    const ptrdiff_t fit = most(FEWEST_PANELS, least(MOST_PANELS, STRIP_PRODUCTS / (p.blocks * BLOCK * PANEL)));
    /* So many strips that all threads have much the same to do. */
    const ptrdiff_t images = most(p.batch * p.groups, 1), units = over(over(images * p.panels, fit), threads) * threads;
    p.strips = most(1, least(p.panels, over(units, images)));
    p.strip = over(p.panels, p.strips);
    return p;
}

static ptrdiff_t weights_size(const Packed *p) { return p->groups * p->blocks * p->block_step; }
static ptrdiff_t columns_size(const Packed *p) { return least(DEPTH, p->depth) * p->strip * PANEL; }
static ptrdiff_t thread_size(const Packed *p) { return columns_size(p) + p->blocks * BLOCK * p->strip * PANEL; }

ptrdiff_t conv_packed_size(const Convolution *conv)
{
    const Packed p = packed(conv);
    return weights_size(&p) + omp_get_max_threads() * thread_size(&p);
}

/* Block after block, the weights of BLOCK outputs term by term; zero where the last block has no more outputs. */
static void pack_block(const Packed *p, const float *w, const float *scale, ptrdiff_t unit, float *packed_weights)
{
    const ptrdiff_t group = unit / p->blocks, first = unit % p->blocks * BLOCK;
    const float *weights = w + group * p->outputs * p->depth;
    float *to = packed_weights + unit * p->block_step;
    for (ptrdiff_t l = 0; l < BLOCK; l++) {
        const ptrdiff_t o = first + l;
        const float factor = scale && o < p->outputs ? scale[group * p->outputs + o] : 1.0f;
        const float *row = weights + o * p->depth;
        for (ptrdiff_t k = 0; k < p->depth; k++)
            to[k * BLOCK + l] = o < p->outputs ? row[k] * factor : 0.0f;
    }
}

/* Terms k..k + count of the columns at positions begin..end, panel after panel. */
static void pack_columns(const Packed *p, const float *image, ptrdiff_t k, ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end,
                         float *columns)
{
    float line[MOST_PANELS * PANEL];
    const ptrdiff_t panels = over(end - begin, PANEL);
    for (ptrdiff_t j = end - begin; j < panels * PANEL; j++)
        line[j] = 0.0f;
    for (ptrdiff_t t = 0; t < count; t++) {
        const float *from = line;
        if (p->window->single && (end - begin) % PANEL == 0) {
            from = image + (k + t) * p->window->positions + begin;
            const float *later = from + AHEAD * p->window->positions;
            for (ptrdiff_t q = 0; q < panels; q++)
                __builtin_prefetch(later + q * PANEL);
        } else
            im2col_part(p->window, image, line, 0, (Part){k + t, k + t + 1, begin, end});
        for (ptrdiff_t q = 0; q < panels; q++)
            memcpy(columns + (q * count + t) * PANEL, from + q * PANEL, PANEL * sizeof(float));
    }
}

/* made = act(sums + bias + other); other may be NULL or made. */
VECTORISED static void store_run(const float *sums, const float *other, float *made, ptrdiff_t n, float bias, int relu,
                                 float slope)
{
    if (other && relu)
        for (ptrdiff_t j = 0; j < n; j++)
            made[j] = rectified(sums[j] + bias + other[j], slope);
    else if (other)
        for (ptrdiff_t j = 0; j < n; j++)
            made[j] = sums[j] + bias + other[j];
    else if (relu)
        for (ptrdiff_t j = 0; j < n; j++)
            made[j] = rectified(sums[j] + bias, slope);
    else
        for (ptrdiff_t j = 0; j < n; j++)
            made[j] = sums[j] + bias;
}

/* All outputs of one group and image at the positions of panels begin..end. */
static void make_strip(const Packed *p, PanelProduct multiply, const float *image, const float *weights, Epilogue epilogue,
                       ptrdiff_t first_output, const float *other, float *made, ptrdiff_t begin_panel, ptrdiff_t end_panel, float *own)
{
    const ptrdiff_t begin = begin_panel * PANEL, end = least(end_panel * PANEL, p->window->positions);
    const ptrdiff_t panels = end_panel - begin_panel, step = p->blocks * BLOCK * PANEL;
    float *columns = own, *sums = own + columns_size(p);
    for (ptrdiff_t k = 0; k < p->depth; k += DEPTH) {
        const ptrdiff_t count = least(DEPTH, p->depth - k);
        pack_columns(p, image, k, count, begin, end, columns);
        for (ptrdiff_t block = 0; block < p->blocks; block += BLOCKS_AT_ONCE)
            for (ptrdiff_t q = 0; q < panels; q++)
                multiply(count, least(BLOCKS_AT_ONCE, p->blocks - block), weights + block * p->block_step + k * BLOCK, BLOCK,
                         p->block_step, columns + q * count * PANEL, sums + q * step + block * BLOCK * PANEL, BLOCK * PANEL,
                         k > 0);
    }
    for (ptrdiff_t o = 0; o < p->outputs; o++) {
        const float bias = epilogue.bias ? epilogue.bias[first_output + o] : 0.0f;
        const float *term = other ? other + o * p->window->positions + begin : NULL;
        float *row = made + o * p->window->positions + begin;
        const float *later = row + AHEAD * p->window->positions;
        for (ptrdiff_t q = 0; q < panels; q++) {
            __builtin_prefetch(later + q * PANEL, 1);
            store_run(sums + q * step + o * PANEL, term ? term + q * PANEL : NULL, row + q * PANEL,
                      least(PANEL, end - begin - q * PANEL), bias, epilogue.relu, epilogue.slope);
        }
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
            make_strip(&p, multiply, x + image * p.channels * p.window->pixels, scratch + group * p.blocks * p.block_step,
                       epilogue, group * p.outputs, other ? other + image * p.outputs * p.window->positions : NULL,
                       y + image * p.outputs * p.window->positions,
                       strip * p.panels / p.strips, (strip + 1) * p.panels / p.strips,
                       owned + omp_get_thread_num() * thread_size(&p));
        }
    }
}
