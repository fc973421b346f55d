/* Rows of images as the forward pass reads and writes its tiles, pixel beside pixel whatever the rate.
 *
 * A tile of outputs that begins at (y, x) is read from (y, x) on in the padded image. Tiles of neighbouring phases lie side
 * by side, so that several of them are read and written together.
 */
#ifndef PYDEEPLAB_WINOGRAD_ROWS_H
#define PYDEEPLAB_WINOGRAD_ROWS_H

#include "winograd.h"

typedef struct {
    const Winograd *problem;
    ptrdiff_t m, n, values;               /* sides of output and input tiles, values of a transformed tile */
    ptrdiff_t size_in, size_out;          /* floats of a row with what tiles read or write beyond it */
    int32_t *row_output, *column_output;  /* the first output of each row and column of tiles */
} Rows;

/* Floats that the tables take. */
ptrdiff_t rows_room(const Winograd *problem);
Rows rows_in(const Winograd *problem, float *memory);

/* What `count` rows of tiles from `first` on read from channel `channel` of their images: n padded rows each. The plane must
 * be zero where there is no pixel. */
void read_rows(const Rows *rows, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane);

/* Rows of outputs, m for each row of tiles, with the epilogue, into the images. */
void write_rows(const Rows *rows, const float *plane, Epilogue epilogue, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                float *images);

#endif
