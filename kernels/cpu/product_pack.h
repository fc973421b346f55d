/* The factors of a product, packed; in seven products of halves in place of eight, or as they are.
 *
 * With halves, where K are the terms of the product, left [rows, K] = [a b; c d] and right [K, columns] = [e f; g h].
 */
#ifndef PYDEEPLAB_PRODUCT_PACK_H
#define PYDEEPLAB_PRODUCT_PACK_H

#include <stddef.h>

enum {
    LANES = 8,
    PRODUCTS = 7,
};

/* Rows of each half of a factor (or all rows in the first), of `length` terms each: the first half of the terms are `part`,
 * or all of them. */
typedef struct {
    const float *rows[2][2 * LANES];
    ptrdiff_t length, part;
} Lines;

/* Term t of product p's factor, LANES values on the left, 2 LANES on the right, goes to to + p * product_step +
 * t * term_step, one after the other; up to LANES - 1 more terms are written. */
void pack_left(int halves, const Lines *lines, float *to, ptrdiff_t term_step, ptrdiff_t product_step);
void pack_right(int halves, const Lines *lines, float *to, ptrdiff_t term_step, ptrdiff_t product_step);

/* From `n` values of each product, `step` apart, those of the quarters of the result, row by row, in place of the first
 * four; whole vectors. */
void sum_products(float *products, ptrdiff_t n, ptrdiff_t step);

#endif
