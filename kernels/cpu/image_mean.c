#include "image_mean.h"

#include "simd.h"

VECTORISED static void subtract_line(const float *mean, float *out, ptrdiff_t n, float scale)
{
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = (out[j] - mean[j]) * scale;
}

VECTORISED static void subtract_mirrored_line(const float *mean, float *out, ptrdiff_t n, float scale)
{
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = (out[j] - mean[n - 1 - j]) * scale;
}

VECTORISED static void subtract_value(float mean, float *out, ptrdiff_t n, float scale)
{
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = (out[j] - mean) * scale;
}

void subtract_window(const float *mean, ptrdiff_t height, ptrdiff_t width, float *blob, ptrdiff_t channels,
                     ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column, int mirror, float scale)
{
    if (height == 1 && width == 1) {
        for (ptrdiff_t c = 0; c < channels; c++)
            subtract_value(mean[c], blob + c * rows * columns, rows * columns, scale);
        return;
    }
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const float *from = mean + (c * height + row + i) * width + column;
            (mirror ? subtract_mirrored_line : subtract_line)(from, blob + (c * rows + i) * columns, columns, scale);
        }
}
