/* The factors of a product, left [rows, terms] and right [terms, columns], packed: as by halves.h, or as they are. */
#ifndef PYDEEPLAB_PRODUCT_PACK_H
#define PYDEEPLAB_PRODUCT_PACK_H

#include <stddef.h>

#include "halves.h"

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
