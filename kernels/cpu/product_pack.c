#include "product_pack.h"

#include "halves.h"
#include "scratch.h"
#include "simd.h"

enum { AHEAD = 64 }; /* terms that are fetched ahead */

/* LANES terms from `term` on of LANES rows, zeros from `end` on; vector j holds term j of each row. Rows are more than the
 * hardware fetches ahead. */
INLINE void load(const float *const *rows, ptrdiff_t term, ptrdiff_t end, Vector *terms)
{
    if (term + LANES <= end) {
#pragma GCC unroll 8
        for (int l = 0; l < LANES; l++) {
            terms[l] = AT(rows[l] + term);
            __builtin_prefetch(rows[l] + term + AHEAD);
        }
    } else {
        float some[LANES][LANES] = {{0}};
        for (int l = 0; l < LANES; l++)
            for (ptrdiff_t t = term; t < end; t++)
                some[l][t - term] = rows[l][t];
#pragma GCC unroll 8
        for (int l = 0; l < LANES; l++)
            terms[l] = AT(some[l]);
    }
    transpose(terms);
}

/* LANES terms from `term` on, and of both halves, of LANES rows from `row` on. */
INLINE void pack_terms(const int left, const int halves, const Lines *lines, ptrdiff_t row, ptrdiff_t term, float *to,
                       ptrdiff_t term_step, ptrdiff_t product_step)
{
    const float *const *upper = lines->rows[0] + row, *const *lower = lines->rows[1] + row;
    const ptrdiff_t part = least(lines->part, lines->length), second = lines->part + term;
    Vector a[LANES], b[LANES], c[LANES], d[LANES];
    load(upper, term, part, a);
    if (halves) {
        load(upper, second, lines->length, b);
        load(lower, term, part, c);
        load(lower, second, lines->length, d);
    }
#pragma GCC unroll 8
    for (int j = 0; j < LANES; j++, to += term_step)
        if (!halves)
            AT(to) = a[j];
        else if (left)
            spread_left(a[j], b[j], c[j], d[j], to, product_step);
        else
            spread_right(a[j], c[j], b[j], d[j], to, product_step);
}

INLINE void pack(const int left, const int halves, const Lines *lines, float *to, ptrdiff_t term_step, ptrdiff_t product_step)
{
    for (ptrdiff_t t = 0; t < lines->part; t += LANES, to += LANES * term_step)
        for (int l = 0; l < (left ? 1 : 2); l++)
            pack_terms(left, halves, lines, l * LANES, t, to + l * LANES, term_step, product_step);
}

VECTORISED void pack_left(int halves, const Lines *lines, float *to, ptrdiff_t term_step, ptrdiff_t product_step)
{
    if (halves)
        pack(1, 1, lines, to, term_step, product_step);
    else
        pack(1, 0, lines, to, term_step, product_step);
}

VECTORISED void pack_right(int halves, const Lines *lines, float *to, ptrdiff_t term_step, ptrdiff_t product_step)
{
    if (halves)
        pack(0, 1, lines, to, term_step, product_step);
    else
        pack(0, 0, lines, to, term_step, product_step);
}

VECTORISED void sum_products(float *products, ptrdiff_t n, ptrdiff_t step)
{
    for (ptrdiff_t i = 0; i < n; i += LANES, products += LANES) {
        Vector quarters[4];
        sum_quarters(products, step, quarters);
        for (int q = 0; q < 4; q++)
            AT(products + q * step) = quarters[q];
    }
}
