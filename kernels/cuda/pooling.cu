/* Pooling: the largest, the mean, or a random one of each window. */
#include <float.h>

#include "device.h"

namespace {

struct Pooling {
    int64_t planes, size[2], out[2], kernel[2], stride[2], pad[2], dilation[2];
};

/* Every dilation-th of the pixels begin..end inside the image; `full` is how many there are before the image, but not
 * the padding, cuts the window. */
struct Span {
    int64_t begin, end, full;
};

__device__ Span span_of(const Pooling &pool, int axis, int64_t position) {
    int64_t size = pool.size[axis], dilation = pool.dilation[axis];
    int64_t start = position * pool.stride[axis] - pool.pad[axis];
    int64_t stop = start + (pool.kernel[axis] - 1) * dilation + 1, room = size + pool.pad[axis] - start;
    int64_t taps = room > 0 ? (room + dilation - 1) / dilation : room;
    Span span{start, stop < size ? stop : size, taps < pool.kernel[axis] ? taps : pool.kernel[axis]};
    if (start < 0) span.begin += (dilation - 1 - start) / dilation * dilation;
    return span;
}

/* What a sum over a window is divided by; windows without pixels get 1. */
__device__ float window_size(Span rows, Span columns) {
    return (float)(rows.full > 0 && columns.full > 0 ? rows.full * columns.full : 1);
}

/* The image and the window that output i of all planes belongs to. */
struct Place {
    const float *image;
    Span rows, columns;
};

__device__ Place place_of(const Pooling &pool, const float *x, int64_t i) {
    int64_t plane = i / (pool.out[0] * pool.out[1]);
    return {x + plane * pool.size[0] * pool.size[1], span_of(pool, 0, i / pool.out[1] % pool.out[0]),
            span_of(pool, 1, i % pool.out[1])};
}

#define EACH_PIXEL(at, place, pool)                                                                                    \
    for (int64_t h = place.rows.begin; h < place.rows.end; h += pool.dilation[0])                                      \
        for (int64_t at = h * pool.size[1] + place.columns.begin, last = h * pool.size[1] + place.columns.end;         \
             at < last; at += pool.dilation[1])

__global__ void max_forward_kernel(const float *x, float *y, int32_t *index, Pooling pool, int64_t n) {
    EACH(i, n) {
        Place place = place_of(pool, x, i);
        float largest = -FLT_MAX;
        int64_t found = -1;
        EACH_PIXEL(at, place, pool) {
            float value = place.image[at];
            if (value > largest) largest = value, found = at;
        }
        y[i] = largest;
        if (index) index[i] = (int32_t)found;
    }
}

__global__ void average_forward_kernel(const float *x, float *y, Pooling pool, int64_t n) {
    EACH(i, n) {
        Place place = place_of(pool, x, i);
        float sum = 0;
        EACH_PIXEL(at, place, pool) sum += place.image[at];
        y[i] = sum / window_size(place.rows, place.columns);
    }
}

/* The outputs along one axis whose windows may hold a pixel. */
__device__ void readers(const Pooling &pool, int axis, int64_t pixel, int64_t *first, int64_t *last) {
    int64_t reach = pixel + pool.pad[axis], before = reach - (pool.kernel[axis] - 1) * pool.dilation[axis];
    *first = before > 0 ? (before + pool.stride[axis] - 1) / pool.stride[axis] : 0;
    *last = reach / pool.stride[axis];
    if (*last > pool.out[axis] - 1) *last = pool.out[axis] - 1;
}

__device__ bool holds(Span span, int64_t pixel, int64_t dilation) {
    return pixel >= span.begin && pixel < span.end && (pixel - span.begin) % dilation == 0;
}

__global__ void average_backward_kernel(const float *dy, float *dx, Pooling pool, int64_t n) {
    EACH(i, n) {
        int64_t column = i % pool.size[1], row = i / pool.size[1] % pool.size[0];
        const float *plane = dy + i / (pool.size[0] * pool.size[1]) * pool.out[0] * pool.out[1];
        int64_t top, bottom, left, right;
        readers(pool, 0, row, &top, &bottom);
        readers(pool, 1, column, &left, &right);
        float sum = 0;
        for (int64_t p = top; p <= bottom; p++) {
            Span rows = span_of(pool, 0, p);
            if (!holds(rows, row, pool.dilation[0])) continue;
            for (int64_t q = left; q <= right; q++) {
                Span columns = span_of(pool, 1, q);
                if (holds(columns, column, pool.dilation[1]))
                    sum += plane[p * pool.out[1] + q] / window_size(rows, columns);
            }
        }
        dx[i] = sum;
    }
}

/* What the windows that may hold a pixel have chosen it for, always added in the same order. */
__global__ void max_backward_kernel(const float *dy, const int32_t *index, float *dx, Pooling pool, int64_t n) {
    EACH(i, n) {
        int64_t pixels = pool.size[0] * pool.size[1], outputs = pool.out[0] * pool.out[1];
        int64_t pixel = i % pixels, map = i / pixels * outputs;
        int64_t top, bottom, left, right;
        readers(pool, 0, pixel / pool.size[1], &top, &bottom);
        readers(pool, 1, pixel % pool.size[1], &left, &right);
        float sum = 0;
        for (int64_t p = top; p <= bottom; p++)
            for (int64_t q = left; q <= right; q++) {
                int64_t at = map + p * pool.out[1] + q;
                if (index[at] == pixel) sum += dy[at];
            }
        dx[i] = sum;
    }
}

__global__ void stochastic_forward_kernel(const float *x, const float *u, float *y, int32_t *index, Pooling pool,
                                          int64_t n) {
    EACH(i, n) {
        Place place = place_of(pool, x, i);
        float sum = 0, running = 0, value = 0;
        EACH_PIXEL(at, place, pool) sum += place.image[at];
        float threshold = u[i] * sum;
        int64_t found = -1;
        EACH_PIXEL(at, place, pool) {
            running += place.image[at];
            if (found < 0 && running >= threshold) found = at, value = place.image[at];
        }
        y[i] = value;
        index[i] = (int32_t)found;
    }
}

__global__ void stochastic_average_kernel(const float *x, float *y, Pooling pool, int64_t n) {
    EACH(i, n) {
        Place place = place_of(pool, x, i);
        float sum = 0, squares = 0;
        EACH_PIXEL(at, place, pool) {
            float value = place.image[at];
            sum += value;
            squares += value * value;
        }
        y[i] = squares / (FLT_MIN + sum);
    }
}

bool fits(const Pooling &pool) {
    for (int a = 0; a < 2; a++)
        if (pool.kernel[a] < 1 || pool.stride[a] < 1 || pool.pad[a] < 0 || pool.dilation[a] < 1) return false;
    return true;
}

} // namespace

#define POOLING                                                                                                        \
    Pooling{N * C, {H, W}, {P, Q}, {kernel_h, kernel_w}, {stride_h, stride_w}, {pad_h, pad_w}, {dilation_h, dilation_w}}

int max_pool_forward(const float *x, float *y, int32_t *index, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                     int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N,
                     int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(max_forward_kernel, N * C * P * Q, x, y, index, pool, N * C * P * Q);
}

int max_pool_backward(const float *dy, const int32_t *index, float *dx, int64_t kernel_h, int64_t kernel_w,
                      int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                      int64_t dilation_w, int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H, int64_t W) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(max_backward_kernel, N * C * H * W, dy, index, dx, pool, N * C * H * W);
}

int ave_pool_forward(const float *x, float *y, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
                     int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C,
                     int64_t H, int64_t W, int64_t P, int64_t Q) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(average_forward_kernel, N * C * P * Q, x, y, pool, N * C * P * Q);
}

int ave_pool_backward(const float *dy, float *dx, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                      int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                      int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H, int64_t W) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(average_backward_kernel, N * C * H * W, dy, dx, pool, N * C * H * W);
}

int stochastic_pool_forward(const float *x, const float *u, float *y, int32_t *index, int64_t kernel_h,
                            int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w,
                            int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C, int64_t H, int64_t W,
                            int64_t P, int64_t Q) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(stochastic_forward_kernel, N * C * P * Q, x, u, y, index, pool, N * C * P * Q);
}

int stochastic_pool_average(const float *x, float *y, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                            int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                            int64_t N, int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q) {
    Pooling pool = POOLING;
    if (!fits(pool)) return BAD_ARGUMENTS;
    return launch_each(stochastic_average_kernel, N * C * P * Q, x, y, pool, N * C * P * Q);
}
