/* Copies between rows of an image and lines of tiles. */
#ifndef PYDEEPLAB_WINOGRAD_LINES_H
#define PYDEEPLAB_WINOGRAD_LINES_H

#include "winograd_plan.h"

/* The lines that `count` rows of tiles from `first` on read from channel `channel` of their images. */
void read_lines(const Plan *plan, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane);

/* Those rows of tiles of output `output`, with the epilogue, into the images. */
void write_lines(const Plan *plan, const float *plane, Epilogue epilogue, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                 float *images);

#endif
