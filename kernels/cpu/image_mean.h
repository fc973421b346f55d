/* The mean image. Single-threaded: data workers run in parallel. */
#ifndef PYDEEPLAB_IMAGE_MEAN_H
#define PYDEEPLAB_IMAGE_MEAN_H

#include <stddef.h>

/* blob = (blob - mean) scale, for the window of the mean at (row, column), or for all pixels the one of a 1 x 1 mean. */
void subtract_window(const float *mean, ptrdiff_t height, ptrdiff_t width, float *blob, ptrdiff_t channels,
                     ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column, int mirror, float scale);

#endif
