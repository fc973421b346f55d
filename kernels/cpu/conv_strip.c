#include "conv_strip.h"

#include <stdint.h>
#include <string.h>

#include "epilogue.h"
#include "simd.h"

enum { AHEAD = 16 }; /* rows of an image that are fetched ahead: the hardware does not look beyond a page */

Weights weights_of(const Pictures *pictures, const float *w, int adjoint, const float *scale, ptrdiff_t first, ptrdiff_t count)
{
    const ptrdiff_t taps = pictures->all->window.taps, channels = pictures->channels / pictures->groups;
    const ptrdiff_t outputs = pictures->outputs / pictures->groups, depth = channels * taps;
    Weights weights = {.outputs = count, .depth = depth, .taps = taps, .adjoint = adjoint};
    weights.output_step = adjoint ? taps : depth;
    weights.channel_step = outputs * taps;
    weights.values = w + first / outputs * outputs * depth + first % outputs * weights.output_step;
    weights.scale = scale ? scale + first : NULL;
    return weights;
}

/* Terms k..k + count of the first `there` outputs of a block; the values of the other ones are not written. */
INLINE void fill_block(const Weights *weights, const int adjoint, const int there, ptrdiff_t first, ptrdiff_t k,
                       ptrdiff_t count, float *block)
{
    const float *rows[BLOCK];
    float scales[BLOCK];
    for (int l = 0; l < there; l++) {
        rows[l] = weights->values + (first + l) * weights->output_step;
        scales[l] = weights->scale ? weights->scale[first + l] : 1.0f;
    }
    for (ptrdiff_t t = k; t < k + count; t++, block += BLOCK) {
        const ptrdiff_t taps = weights->taps, channel = t / taps;
        const ptrdiff_t place = adjoint ? channel * weights->channel_step + taps - 1 - t % taps : t;
        for (int l = 0; l < there; l++)
            block[l] = rows[l][place] * scales[l];
    }
}

void weights_block(const Weights *weights, ptrdiff_t first, ptrdiff_t k, ptrdiff_t count, float *block)
{
    const ptrdiff_t terms = most(0, least(count, weights->depth - k)), there = weights->outputs - first;
    const ptrdiff_t filled = there < BLOCK ? 0 : terms * BLOCK;
    memset(block + filled, 0, (size_t)(count * BLOCK - filled) * sizeof *block);
    if (there < BLOCK)
        fill_block(weights, weights->adjoint, (int)most(there, 0), first, k, terms, block);
    else if (weights->adjoint)
        fill_block(weights, 1, BLOCK, first, k, terms, block);
    else
        fill_block(weights, 0, BLOCK, first, k, terms, block);
}

const float *columns_line(const Window *window, const float *image, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end,
                          ptrdiff_t room, float *line)
{
    if (window->single && end - begin == room) {
        const float *from = image + row * window->positions + begin, *later = from + AHEAD * window->positions;
        for (ptrdiff_t j = 0; j < room; j += PANEL)
            __builtin_prefetch(later + j);
        return from;
    }
    im2col_part(window, image, line, 0, (Part){row, row + 1, begin, end});
    for (ptrdiff_t j = end - begin; j < room; j++)
        line[j] = 0.0f;
    return line;
}

typedef int32_t Mask __attribute__((vector_size(32)));

/* As rectified(). */
INLINE void rectify(Vector *v, float slope)
{
    const Mask below = *v < 0.0f, above = *v > 0.0f;
    *v = (Vector)((Mask)*v & ~below) + slope * (Vector)((Mask)*v & ~above);
}

INLINE void store_panels(const int sum, const int relu, const float *sums, ptrdiff_t step, const float *other, float *made,
                         ptrdiff_t n, float bias, float slope)
{
    for (; n >= PANEL; n -= PANEL, sums += step, made += PANEL, other += sum ? PANEL : 0)
        for (int j = 0; j < PANEL; j += LANES) {
            Vector v = AT(sums + j) + bias;
            if (sum)
                v += AT(other + j);
            if (relu)
                rectify(&v, slope);
            AT(made + j) = v;
        }
    for (ptrdiff_t j = 0; j < n; j++) {
        const float value = sum ? sums[j] + bias + other[j] : sums[j] + bias;
        made[j] = relu ? rectified(value, slope) : value;
    }
}

VECTORISED static void store_values(const float *sums, ptrdiff_t step, const float *other, float *made, ptrdiff_t n,
                                    float bias, int relu, float slope)
{
    if (other && relu)
        store_panels(1, 1, sums, step, other, made, n, bias, slope);
    else if (other)
        store_panels(1, 0, sums, step, other, made, n, bias, slope);
    else if (relu)
        store_panels(0, 1, sums, step, other, made, n, bias, slope);
    else
        store_panels(0, 0, sums, step, other, made, n, bias, slope);
}

void store_line(const float *sums, ptrdiff_t step, const float *other, float *made, ptrdiff_t n, float bias, int relu,
                float slope)
{
    store_values(sums, step, other, made, n, bias, relu, slope);
}
