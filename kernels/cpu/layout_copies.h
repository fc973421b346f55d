/* Moving values without arithmetic. */
#ifndef PYDEEPLAB_LAYOUT_H
#define PYDEEPLAB_LAYOUT_H

#include <stddef.h>

/* `planes` times `rows` rows of `width` values, from x to y, whose planes and rows lie x_plane, x_row, y_plane, y_row
 * values apart. */
void copy_rows(const float *x, float *y, ptrdiff_t planes, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t x_plane,
               ptrdiff_t x_row, ptrdiff_t y_plane, ptrdiff_t y_row);

/* y[i][j][k][l] = x at i*stride[0] + j*stride[1] + k*stride[2] + l*stride[3], for y[size[0]]..[size[3]]. */
void gather_strided(const float *x, float *y, const ptrdiff_t size[4], const ptrdiff_t stride[4]);

void fill_value(float *y, ptrdiff_t n, float value);

#endif
