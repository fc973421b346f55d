/* From decoded pictures to blobs: OpenCV's bilinear resizing, and the cut, mirrored, mean-free crop that nets get. */
#include "device.h"

namespace {

/* The two source indices of an output along one axis, and the share of the second. Columns lose their fraction outside
 * the image; rows keep it. */
struct Tap {
    int64_t low, high;
    float fraction;
    __device__ Tap(int64_t size, int64_t out, int64_t i, bool drop_fraction) {
        double scale = 1.0 / ((double)out / (double)size);
        float position = (float)(round_double_product((double)i + 0.5, scale) - 0.5), below = floorf(position);
        int64_t index = (int64_t)below;
        fraction = drop_fraction && (index < 0 || index >= size - 1) ? 0 : position - below;
        low = clip(index, size);
        high = clip(index + 1, size);
    }
    static __device__ int64_t clip(int64_t index, int64_t size) {
        return index < 0 ? 0 : index >= size ? size - 1 : index;
    }
    /* Weights in 1/2048. */
    __device__ int32_t first() const { return (int32_t)rintf((1 - fraction) * 2048); }
    __device__ int32_t second() const { return (int32_t)rintf(fraction * 2048); }
};

struct Sizes {
    int64_t height, width, channels, rows, columns;
};

__global__ void halve_kernel(const uint8_t *x, uint8_t *y, Sizes s, int64_t n) {
    EACH(i, n) {
        int64_t c = i % s.channels, column = i / s.channels % s.columns, row = i / (s.channels * s.columns);
        const uint8_t *upper = x + (2 * row * s.width + 2 * column) * s.channels + c;
        const uint8_t *lower = upper + s.width * s.channels;
        y[i] = (uint8_t)((upper[0] + upper[s.channels] + lower[0] + lower[s.channels] + 2) >> 2);
    }
}

__global__ void bytes_kernel(const uint8_t *x, uint8_t *y, Sizes s, int64_t n) {
    EACH(i, n) {
        int64_t c = i % s.channels;
        Tap along(s.width, s.columns, i / s.channels % s.columns, true);
        Tap down(s.height, s.rows, i / (s.channels * s.columns), false);
        const uint8_t *upper = x + down.low * s.width * s.channels + c, *lower = x + down.high * s.width * s.channels + c;
        int64_t left = along.low * s.channels, right = along.high * s.channels;
        int32_t a0 = along.first(), a1 = along.second();
        int32_t first = upper[left] * a0 + upper[right] * a1, second = lower[left] * a0 + lower[right] * a1;
        y[i] = (uint8_t)((((down.first() * (first >> 4)) >> 16) + ((down.second() * (second >> 4)) >> 16) + 2) >> 2);
    }
}

__global__ void floats_kernel(const float *x, float *y, Sizes s, int64_t n) {
    EACH(i, n) {
        int64_t c = i % s.channels;
        Tap along(s.width, s.columns, i / s.channels % s.columns, true);
        Tap down(s.height, s.rows, i / (s.channels * s.columns), false);
        const float *upper = x + down.low * s.width * s.channels + c, *lower = x + down.high * s.width * s.channels + c;
        int64_t left = along.low * s.channels, right = along.high * s.channels;
        float a0 = 1 - along.fraction, a1 = along.fraction;
        y[i] = (upper[left] * a0 + upper[right] * a1) * (1 - down.fraction) +
               (lower[left] * a0 + lower[right] * a1) * down.fraction;
    }
}

__global__ void blob_kernel(const uint8_t *image, const double *mean, float *blob, int64_t row, int64_t column,
                            bool mirror, bool reverse, float scale, Sizes s, int64_t n) {
    EACH(i, n) {
        int64_t j = i % s.columns, w = column + (mirror ? s.columns - 1 - j : j), h = row + i / s.columns % s.rows;
        int64_t c = i / (s.columns * s.rows);
        bool inside = h < s.height && w < s.width;
        int64_t at = (h * s.width + w) * s.channels + (reverse ? s.channels - 1 - c : c);
        blob[i] = inside ? (float)((image[at] - mean[c]) * (double)scale) : 0;
    }
}

/* One row and column of the mean serve all pixels where it is 1 x 1: then both steps are 0. */
__global__ void mean_kernel(const float *mean, float *blob, int64_t row, int64_t column, bool mirror, float scale,
                            int64_t row_step, int64_t column_step, Sizes s, int64_t n) {
    EACH(i, n) {
        int64_t j = i % s.columns, h = row + i / s.columns % s.rows, w = column + (mirror ? s.columns - 1 - j : j);
        int64_t c = i / (s.columns * s.rows);
        blob[i] = (blob[i] - mean[c * s.height * s.width + h * row_step + w * column_step]) * scale;
    }
}

} // namespace

int image_resize_bilinear(const uint8_t *x, uint8_t *y, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
    Sizes s{H, W, C, P, Q};
    return launch_each(H == 2 * P && W == 2 * Q ? halve_kernel : bytes_kernel, P * Q * C, x, y, s, P * Q * C);
}

int image_resize_bilinear_real(const float *x, float *y, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
    return launch_each(floats_kernel, P * Q * C, x, y, Sizes{H, W, C, P, Q}, P * Q * C);
}

int image_to_blob(const uint8_t *image, const double *mean, float *blob, int64_t row, int64_t column, bool mirror,
                  bool reverse, float scale, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
    if (row < 0 || column < 0) return BAD_ARGUMENTS;
    return launch_each(blob_kernel, C * P * Q, image, mean, blob, row, column, mirror, reverse, scale,
                       Sizes{H, W, C, P, Q}, C * P * Q);
}

int image_subtract_mean(const float *mean, float *blob, int64_t row, int64_t column, bool mirror, float scale,
                        int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q) {
    bool one = H == 1 && W == 1;
    if (!one && (row < 0 || column < 0 || row + P > H || column + Q > W)) return BAD_ARGUMENTS;
    return launch_each(mean_kernel, C * P * Q, mean, blob, row, column, mirror, scale, one ? 0 : W, one ? 0 : 1,
                       Sizes{H, W, C, P, Q}, C * P * Q);
}
