/* Rows of images as the forward pass reads and writes its tiles, pixel beside pixel whatever the rate.
 *
 * A tile of outputs that begins at (y, x) is read from (y, x) on in the padded image. Tiles of neighbouring phases lie side
 * by side, so that several of them are read and written together. Rows of tiles are numbered image after image, batch after
 * batch.
 */
#ifndef PYDEEPLAB_WINOGRAD_ROWS_H
#define PYDEEPLAB_WINOGRAD_ROWS_H

#include "winograd.h"

/* Rows of tiles, outputs or channels. */
typedef struct {
    ptrdiff_t begin, count;
} Span;

typedef struct {
    Batch *batches;
    ptrdiff_t count;
    ptrdiff_t m, n, values;      /* sides of output and input tiles, values of a transformed tile */
    ptrdiff_t size_in, size_out; /* floats of a row with what tiles read or write beyond it, in the widest image */
    ptrdiff_t all, tiles;        /* rows and tiles of all batches */
    ptrdiff_t widest;            /* tiles of the widest row */
} Rows;

Rows rows_of(Batch *batches, ptrdiff_t count);

/* Floats that the tables take, and making them. */
ptrdiff_t place_rows(const Rows *rows, float *memory);

/* Those of some rows that are of one batch, numbered in it. */
Span rows_in(const Batch *batch, Span some);

/* The rows from `begin` on that have at most `tiles` tiles together; at least one. */
Span next_rows(const Rows *rows, ptrdiff_t begin, ptrdiff_t tiles);

ptrdiff_t tiles_in(const Rows *rows, Span some);

/* What rows of tiles read from a channel of their images: n padded rows each. The plane must be zero where there is no
 * pixel. */
void read_rows(const Rows *rows, Span some, ptrdiff_t channel, float *plane);

/* Rows of outputs, m for each row of tiles, with the epilogue, into the maps. */
void write_rows(const Rows *rows, Span some, const float *plane, Epilogue epilogue, ptrdiff_t output);

#endif
