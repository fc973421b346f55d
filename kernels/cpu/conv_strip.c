#include "conv_strip.h"

#include <stdint.h>

#include "epilogue.h"
#include "simd.h"

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 16 }; /* rows of an image that are fetched ahead: the hardware does not look beyond a page */

void weights_block(const Weights *weights, ptrdiff_t first, ptrdiff_t k, ptrdiff_t count, float *block)
{
    static const float nothing[TERMS_AT_ONCE];
    const float *rows[BLOCK];
    float factors[BLOCK];
    for (int l = 0; l < BLOCK; l++) {
        const ptrdiff_t o = first + l;
        rows[l] = o < weights->outputs ? weights->values + o * weights->depth + k : nothing;
        factors[l] = o < weights->outputs && weights->scale ? weights->scale[o] : 1.0f;
    }
    const ptrdiff_t there = least(count, weights->depth - k);
    for (ptrdiff_t t = 0; t < there; t++)
        for (int l = 0; l < BLOCK; l++)
            block[t * BLOCK + l] = rows[l][t] * factors[l];
    for (ptrdiff_t i = most(there, 0) * BLOCK; i < count * BLOCK; i++)
        block[i] = 0.0f;
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
