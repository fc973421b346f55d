#include "conv_strassen.h"

#include <omp.h>

#include "conv_strip.h"
#include "halves.h"
#include "simd.h"

enum {
    PAIR = 2 * PANEL,       /* positions: a panel of the left half and one of the right */
    TERMS = 512,            /* summed at a time: a panel fills the nearest cache, but sums are added less often */
    WIDEST_PAIRS = 8,       /* of a strip */
    NARROW_PAIRS = 4,       /* the same where columns are the image, and need not be gathered a line at a time */
    BLOCKS_AT_ONCE = 22,    /* of each half of the outputs */
    AHEAD = 4,              /* outputs whose places are fetched ahead */
    MOST_FACTORS = 1 << 21, /* packed weights of a range of outputs: more would come from far away */
};

/* made [outputs, positions] = weights [outputs, depth] times columns [depth, positions] for a range of a group's outputs, by
 * halves; missing rows and columns are zero. */
typedef struct {
    ptrdiff_t channels, depth, outputs; /* of a group, and of the range */
    ptrdiff_t first;                    /* output of the range, counted over all groups */
    ptrdiff_t half, blocks, lower;      /* terms of a half; blocks of outputs, which the lower may have less of */
    ptrdiff_t kept;                     /* blocks whose products are in memory at a time */
    ptrdiff_t block_step, factor_step;  /* of packed weights */
    ptrdiff_t panel_step, column_step;  /* of packed columns; a line more than needed, as in conv_packed.c */
    ptrdiff_t made_step, product_step;  /* of products, per panel and per product */
    ptrdiff_t strip;                    /* most pairs of a strip */
} Plan;

/* For as many outputs as a range can have. */
static Plan make_plan(const Pictures *pictures)
{
    const ptrdiff_t outputs = pictures->outputs / pictures->groups;
    const Window *window = &pictures->all->window;
    Plan p = {.channels = pictures->channels / pictures->groups};
    p.depth = p.channels * window->taps;
    p.half = most(1, parts_of(p.depth, 2));
    p.blocks = parts_of(outputs, parts_of(PRODUCTS * p.half * parts_of(outputs, 2), MOST_FACTORS) * 2 * BLOCK);
    p.outputs = 2 * p.blocks * BLOCK;
    p.kept = p.half <= TERMS ? least(BLOCKS_AT_ONCE, p.blocks) : p.blocks;
    p.strip = widest_strip(pictures, PAIR, window->single ? NARROW_PAIRS : WIDEST_PAIRS);
    p.block_step = parts_of(p.half * BLOCK, LANES) * LANES;
    p.factor_step = p.blocks * p.block_step;
    p.panel_step = (least(TERMS, p.half) + 1) * PANEL;
    p.column_step = p.strip * p.panel_step;
    p.made_step = p.kept * BLOCK * PANEL;
    p.product_step = p.strip * p.made_step;
    return p;
}

static ptrdiff_t weights_size(const Plan *p) { return PRODUCTS * p->factor_step; }
static ptrdiff_t thread_size(const Plan *p) { return PRODUCTS * (p->column_step + p->product_step); }

ptrdiff_t conv_strassen_size(const Pictures *pictures)
{
    const Plan p = make_plan(pictures);
    return weights_size(&p) + omp_get_max_threads() * thread_size(&p);
}

/* The left factors of `n` weights, and of some more up to a whole vector, which lie one after the other in each part. */
VECTORISED static void spread_weights(const float (*parts)[TERMS_AT_ONCE * BLOCK], ptrdiff_t n, float *to, ptrdiff_t step)
{
    for (ptrdiff_t i = 0; i < n; i += LANES)
        spread_left(AT(parts[0] + i), AT(parts[1] + i), AT(parts[2] + i), AT(parts[3] + i), to + i, step);
}

/* The right factors of one term in the upper and one in the lower half, at `pairs` pairs of panels. */
VECTORISED static void spread_columns(const float *upper, const float *lower, ptrdiff_t pairs, float *to,
                                      ptrdiff_t panel_step, ptrdiff_t step)
{
    for (ptrdiff_t q = 0; q < pairs; q++, upper += PAIR, lower += PAIR, to += panel_step)
        for (int j = 0; j < PANEL; j += LANES)
            spread_right(AT(upper + j), AT(upper + PANEL + j), AT(lower + j), AT(lower + PANEL + j), to + j, step);
}

/* The values of an output of the upper and one of the lower half, from their products at `pairs` panels. */
VECTORISED static void sum_products(const float *products, ptrdiff_t panel_step, ptrdiff_t step, ptrdiff_t pairs, float *upper,
                                    float *lower)
{
    for (ptrdiff_t q = 0; q < pairs; q++, products += panel_step, upper += PAIR, lower += PAIR)
        for (int j = 0; j < PANEL; j += LANES) {
            Vector quarters[4];
            sum_quarters(products + j, step, quarters);
            AT(upper + j) = quarters[0];
            AT(upper + PANEL + j) = quarters[1];
            AT(lower + j) = quarters[2];
            AT(lower + PANEL + j) = quarters[3];
        }
}

static void pack_block(const Plan *p, const Weights *weights, ptrdiff_t block, float *packed)
{
    float *to = packed + block * p->block_step, parts[4][TERMS_AT_ONCE * BLOCK];
    for (ptrdiff_t k = 0; k < p->half; k += TERMS_AT_ONCE) {
        const ptrdiff_t count = least(TERMS_AT_ONCE, p->half - k);
        for (int i = 0; i < 4; i++)
            weights_block(weights, (block + i / 2 * p->blocks) * BLOCK, k + i % 2 * p->half, count, parts[i]);
        spread_weights((const float(*)[TERMS_AT_ONCE * BLOCK])parts, count * BLOCK, to + k * BLOCK, p->factor_step);
    }
}

/* A row of the columns as by columns_line(); zeros beyond the last. */
static const float *term_line(const Plan *p, const Strip *strip, const float *image, ptrdiff_t term, float *line)
{
    static const float nothing[WIDEST_PAIRS * PAIR];
    return term < p->depth ? columns_line(&strip->picture->window, image, term, strip->begin, strip->end,
                                          parts_of(strip->end - strip->begin, PAIR) * PAIR, line)
                           : nothing;
}

/* Terms k..k + count of both halves at the positions of a strip. */
static void pack_columns(const Plan *p, const Strip *strip, const float *image, ptrdiff_t k, ptrdiff_t count, float *columns)
{
    float upper[WIDEST_PAIRS * PAIR], lower[WIDEST_PAIRS * PAIR];
    for (ptrdiff_t t = k; t < k + count; t++, columns += PANEL)
        spread_columns(term_line(p, strip, image, t, upper), term_line(p, strip, image, t + p->half, lower),
                    parts_of(strip->end - strip->begin, PAIR), columns, p->panel_step, p->column_step);
}

/* All products over terms k..k + count of `some` blocks from `first` on; two of them are for the lower half alone. */
static void multiply_halves(const Plan *p, PanelProduct multiply, const float *weights, const float *columns, ptrdiff_t pairs,
                            ptrdiff_t k, ptrdiff_t count, ptrdiff_t first, ptrdiff_t some, float *products)
{
    for (ptrdiff_t block = 0; block < some; block += BLOCKS_AT_ONCE)
        for (int i = 0; i < PRODUCTS; i++) {
            const ptrdiff_t end = i == 3 || i == 6 ? least(some, p->lower - first) : some;
            for (ptrdiff_t q = 0; q < pairs; q++)
                multiply(count, most(0, least(BLOCKS_AT_ONCE, end - block)),
                         weights + i * p->factor_step + (first + block) * p->block_step + k * BLOCK, BLOCK, p->block_step,
                         columns + i * p->column_step + q * p->panel_step,
                         products + i * p->product_step + q * p->made_step + block * BLOCK * PANEL, BLOCK * PANEL, k > 0);
        }
}

/* Store the values of an output of the range, from where the range begins in the strip's picture. */
static void store_output(const Strip *strip, Epilogue epilogue, ptrdiff_t range, ptrdiff_t output, const float *values)
{
    const Picture *picture = strip->picture;
    const ptrdiff_t place = range + output * picture->window.positions, count = strip->end - strip->begin;
    const float *later = picture->y + place + AHEAD * picture->window.positions;
    for (ptrdiff_t j = 0; j < count; j += PANEL)
        __builtin_prefetch(later + j, 1);
    store_line(values, PANEL, picture->other ? picture->other + place : NULL, picture->y + place, count,
               epilogue.bias ? epilogue.bias[output] : 0.0f, epilogue.relu, epilogue.slope);
}

static void store_products(const Plan *p, const Strip *strip, Epilogue epilogue, ptrdiff_t range, ptrdiff_t first,
                           ptrdiff_t some, const float *products)
{
    float upper[WIDEST_PAIRS * PAIR], lower[WIDEST_PAIRS * PAIR];
    for (ptrdiff_t r = 0; r < some * BLOCK; r++) {
        const ptrdiff_t output = first * BLOCK + r, second = output + p->blocks * BLOCK;
        sum_products(products + r * PANEL, p->made_step, p->product_step, parts_of(strip->end - strip->begin, PAIR), upper, lower);
        if (output < p->outputs)
            store_output(strip, epilogue, range, output, upper);
        if (second < p->outputs)
            store_output(strip, epilogue, range, second, lower);
    }
}

/* The outputs of a range at the positions of a strip of `image`. */
static void make_strip(const Plan *p, PanelProduct multiply, const Strip *strip, const float *image, ptrdiff_t range,
                       const float *weights, Epilogue epilogue, float *columns)
{
    float *products = columns + PRODUCTS * p->column_step;
    const ptrdiff_t pairs = parts_of(strip->end - strip->begin, PAIR);
    for (ptrdiff_t first = 0; first < p->blocks; first += p->kept) {
        const ptrdiff_t some = least(p->kept, p->blocks - first);
        for (ptrdiff_t k = 0; k < p->half; k += TERMS) {
            const ptrdiff_t count = least(TERMS, p->half - k);
            if (first == 0)
                pack_columns(p, strip, image, k, count, columns);
            multiply_halves(p, multiply, weights, columns, pairs, k, count, first, some, products);
        }
        store_products(p, strip, epilogue, range, first, some, products);
    }
}

/* The outputs of a range, of all pictures. */
static void make_range(const Plan *p, const Pictures *pictures, const float *w, int adjoint, Epilogue epilogue,
                       float *scratch)
{
    const PanelProduct multiply = panel_product();
    const Weights weights = weights_of(pictures, w, adjoint, epilogue.scale, p->first, p->outputs);
    const ptrdiff_t group = p->first / (pictures->outputs / pictures->groups);
    Queue queue = queue_strips(pictures, 1, PAIR, p->strip);
    epilogue.bias = epilogue.bias ? epilogue.bias + p->first : NULL;
#pragma omp parallel
    {
        float *own = scratch + weights_size(p) + omp_get_thread_num() * thread_size(p);
#pragma omp for schedule(static)
        for (ptrdiff_t block = 0; block < p->blocks; block++)
            pack_block(p, &weights, block, scratch);
        for (Strip strip; take_strip(&queue, &strip);) {
            const Window *window = &strip.picture->window;
            const float *image = strip.picture->x + (strip.part * pictures->channels + group * p->channels) * window->pixels;
            make_strip(p, multiply, &strip, image, (strip.part * pictures->outputs + p->first) * window->positions + strip.begin,
                       scratch, epilogue, own);
        }
    }
}

void conv_forward_strassen(const Pictures *pictures, const float *w, int adjoint, Epilogue epilogue, float *scratch)
{
    Plan p = make_plan(pictures);
    const ptrdiff_t range = p.outputs, outputs = pictures->outputs / pictures->groups;
    for (ptrdiff_t group = 0; group < pictures->groups; group++)
        for (ptrdiff_t begin = 0; begin < outputs; begin += range) {
            p.first = group * outputs + begin;
            p.outputs = least(range, outputs - begin);
            p.lower = parts_of(p.outputs, BLOCK) - p.blocks;
            make_range(&p, pictures, w, adjoint, epilogue, scratch);
        }
}
