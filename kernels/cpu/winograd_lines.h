/* Where the tiles of an image are, and the copies between rows of an image and lines of tiles. */
#ifndef PYDEEPLAB_WINOGRAD_LINES_H
#define PYDEEPLAB_WINOGRAD_LINES_H

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

/* Lines of outputs, with the epilogue, into the images. */
void write_lines(const Lines *lines, const float *plane, Epilogue epilogue, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                 float *images);

static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t over(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

enum { LINE = 16 }; /* floats of a line of the caches */

static inline ptrdiff_t in_lines(ptrdiff_t floats) { return over(floats, LINE) * LINE; }

/* An odd number of cache lines, so that neighbours at such a distance lie in different sets of a cache. */
static inline ptrdiff_t odd_lines(ptrdiff_t floats) { return (over(floats, LINE) | 1) * LINE; }

/* Lay out parts of a scratch one after the other: the place of `floats` more, or NULL as long as there is no memory. */
static inline void *place(float *memory, ptrdiff_t *used, ptrdiff_t floats)
{
    void *at = memory ? memory + *used : NULL;
    *used += in_lines(floats);
    return at;
}

static inline float *aligned(float *memory)
{
    const uintptr_t bytes = LINE * sizeof(float);
    return (float *)(((uintptr_t)memory + bytes - 1) / bytes * bytes);
}

#endif
