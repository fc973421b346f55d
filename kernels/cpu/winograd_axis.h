/* How an axis is cut into tiles.
 *
 * A convolution at rate r is r dense ones between the samples p, p + r, p + 2 r, ... (phase p). Tiles of m outputs are
 * numbered phase after phase; a *line* holds what they read (or write) of one row of the image: the samples of a phase
 * side by side, m per tile and, on the side that is read, 2 more per phase, zero where the image ends.
 */
#ifndef PYDEEPLAB_WINOGRAD_AXIS_H
#define PYDEEPLAB_WINOGRAD_AXIS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    ptrdiff_t size, out, pad, rate; /* samples read, outputs, zeros on either side, distance of taps */
    ptrdiff_t m, tiles, phases;     /* phases that have outputs */
} Axis;

/* A sample's places in a line and in the image. */
typedef struct {
    int32_t at, pixel;
} Place;

Axis axis_of(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t m);

/* Floats of a line; 8 at a time may be read or written from the beginning of any tile. */
ptrdiff_t input_line_size(const Axis *axis);
ptrdiff_t output_line_size(const Axis *axis);

/* The first output of every tile, here the tiles of all phases side by side. */
void tile_outputs(const Axis *axis, int32_t *output);

/* Where every tile begins in a line of input. */
void tile_inputs(const Axis *axis, int32_t *at);

/* Which samples of a line lie in the image; returns their number, at most that of the image. */
ptrdiff_t input_places(const Axis *axis, Place *places);
ptrdiff_t output_places(const Axis *axis, Place *places);

#endif
