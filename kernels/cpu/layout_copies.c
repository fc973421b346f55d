#include "layout_copies.h"

#include <string.h>

#include "parallel.h"
#include "simd.h"

/* Rows longer than this are copied in pieces, so that one long row (a Concat of one image) keeps all threads busy. */
#define PIECE ((ptrdiff_t)16384)

void copy_rows(const float *x, float *y, ptrdiff_t planes, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t x_plane,
               ptrdiff_t x_row, ptrdiff_t y_plane, ptrdiff_t y_row)
{
    const ptrdiff_t pieces = (width + PIECE - 1) / PIECE, tasks = planes * rows * pieces;
#pragma omp parallel for schedule(static) if (planes * rows * width > GRAIN)
    for (ptrdiff_t task = 0; task < tasks; task++) {
        const ptrdiff_t start = task % pieces * PIECE, row = task / pieces % rows, plane = task / pieces / rows;
        const ptrdiff_t length = width - start < PIECE ? width - start : PIECE;
        memcpy(y + plane * y_plane + row * y_row + start, x + plane * x_plane + row * x_row + start,
               (size_t)length * sizeof *x);
    }
}

static void gather_row(const float *x, float *y, ptrdiff_t n, ptrdiff_t stride)
{
    if (stride == 1)
        memcpy(y, x, (size_t)n * sizeof *x);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = x[i * stride];
}

void gather_strided(const float *x, float *y, const ptrdiff_t size[4], const ptrdiff_t stride[4])
{
    const ptrdiff_t rows = size[0] * size[1] * size[2];
#pragma omp parallel for schedule(static) if (rows * size[3] > GRAIN)
    for (ptrdiff_t row = 0; row < rows; row++) {
        const ptrdiff_t k = row % size[2], j = row / size[2] % size[1], i = row / size[2] / size[1];
        gather_row(x + i * stride[0] + j * stride[1] + k * stride[2], y + row * size[3], size[3], stride[3]);
    }
}

VECTORISED static void fill_piece(float *y, ptrdiff_t n, float value)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = value;
}

void fill_value(float *y, ptrdiff_t n, float value)
{
    FOR_PIECES(n, begin, end, fill_piece(y + begin, end - begin, value););
}
