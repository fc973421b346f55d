#include "product_pack.h"

#include <stdint.h>

#include "scratch.h"
#include "simd.h"

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 64 }; /* terms that are fetched ahead */

typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
#define AT(place) (*(Vector *)(place))

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t Places __attribute__((vector_size(32)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Places){__VA_ARGS__})
#endif

INLINE void transpose(Vector *r)
{
    Vector pair[LANES], quad[LANES];
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = SHUFFLE(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pair[i + 1] = SHUFFLE(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
#pragma GCC unroll 2
    for (int i = 0; i < LANES; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            quad[i + 2 * j] = SHUFFLE(pair[i + j], pair[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            quad[i + 2 * j + 1] = SHUFFLE(pair[i + j], pair[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = SHUFFLE(quad[i], quad[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[i + 4] = SHUFFLE(quad[i], quad[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

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

INLINE void spread_left(Vector a, Vector b, Vector c, Vector d, float *to, ptrdiff_t step)
{
    const Vector lower = c + d, others = lower - a;
    AT(to) = a;
    AT(to + step) = b;
    AT(to + 2 * step) = b - others;
    AT(to + 3 * step) = d;
    AT(to + 4 * step) = lower;
    AT(to + 5 * step) = others;
    AT(to + 6 * step) = a - c;
}

INLINE void spread_right(Vector e, Vector f, Vector g, Vector h, float *to, ptrdiff_t step)
{
    const Vector right = h - f, others = right + e;
    AT(to) = e;
    AT(to + step) = g;
    AT(to + 2 * step) = h;
    AT(to + 3 * step) = others - g;
    AT(to + 4 * step) = f - e;
    AT(to + 5 * step) = others;
    AT(to + 6 * step) = right;
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
        const Vector first = AT(products), fifth = AT(products + 4 * step);
        const Vector some = first + AT(products + 5 * step), more = some + AT(products + 6 * step);
        const Vector third = AT(products + 2 * step), fourth = AT(products + 3 * step);
        AT(products) = first + AT(products + step);
        AT(products + step) = some + fifth + third;
        AT(products + 2 * step) = more - fourth;
        AT(products + 3 * step) = more + fifth;
    }
}
