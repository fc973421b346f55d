/* OpenCV's bilinear resize, and the way from a decoded picture to a blob. Single-threaded: data workers run in parallel.
 *
 * Arrays are height x width x channels; the functions that need memory return 0 when there is none, else 1.
 */
#ifndef PYDEEPLAB_IMAGE_RESIZE_H
#define PYDEEPLAB_IMAGE_RESIZE_H

#include <stddef.h>
#include <stdint.h>

int resize_bilinear_bytes(const uint8_t *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                          uint8_t *y, ptrdiff_t new_height, ptrdiff_t new_width);
int resize_bilinear_floats(const float *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                           float *y, ptrdiff_t new_height, ptrdiff_t new_width);
void window_to_blob(const uint8_t *image, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const double *mean,
                    float *blob, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column,
                    int mirror, int reverse, float scale);

#endif
