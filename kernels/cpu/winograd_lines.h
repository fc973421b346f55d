/* Where the tiles of an image are, and the copies from rows of an image to lines of tiles. */
#ifndef PYDEEPLAB_WINOGRAD_LINES_H
#define PYDEEPLAB_WINOGRAD_LINES_H

#include "scratch.h"
#include "winograd.h"

typedef struct {
    const Winograd *problem;
    ptrdiff_t m, n, values; /* sides of output and input tiles, values of a transformed tile */
    ptrdiff_t size_in, size_out; /* floats of a line */
    int32_t *row_output;         /* the first output of each row of tiles */
    int32_t *column_at;          /* where each column of tiles begins in a line of input */
    Place *in, *out;
    ptrdiff_t ins, outs;
} Lines;

/* Floats that the tables take. */
ptrdiff_t lines_room(const Winograd *problem);
Lines lines_in(const Winograd *problem, float *memory);

/* The lines that `count` rows of tiles from `first` on read from channel `channel` of their images. The plane must be
 * zero where no sample belongs. */
void read_lines(const Lines *lines, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane);

/* The lines of outputs of those rows of tiles, from the gradient of output `output`. */
void read_output_lines(const Lines *lines, const float *gradients, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                       float *plane);

#endif
