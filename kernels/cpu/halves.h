/* A product of matrices as seven products of halves in place of eight (Strassen 1969, in the form of Winograd 1971).
 *
 * With halves, where the terms are the columns of the left and the rows of the right factor,
 *
 *   left = [a b; c d]   right = [e f; g h]
 *
 * product i is that of the i-th values stored by spread_left() and spread_right().
 */
#ifndef PYDEEPLAB_HALVES_H
#define PYDEEPLAB_HALVES_H

#include <stddef.h>

#include "vectors.h"

enum { PRODUCTS = 7 };

/* The left factors of all products, `step` apart. */
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

/* The quarters of the result, row by row, from the products, `step` apart. */
INLINE void sum_quarters(const float *products, ptrdiff_t step, Vector *quarters)
{
    const Vector first = AT(products), fifth = AT(products + 4 * step);
    const Vector some = first + AT(products + 5 * step), more = some + AT(products + 6 * step);
    quarters[0] = first + AT(products + step);
    quarters[1] = some + fifth + AT(products + 2 * step);
    quarters[2] = more - AT(products + 3 * step);
    quarters[3] = more + fifth;
}

#endif
