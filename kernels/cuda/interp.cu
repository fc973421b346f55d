/* Resizing a window of each plane with aligned corners. */
#include "device.h"

namespace {

struct Resize {
    int64_t planes, height, width; /* of the whole plane */
    int64_t top, left, rows, columns; /* the window */
    int64_t out_rows, out_columns;
};

/* An output's coordinate along one axis, rounded as Caffe rounds it: never fused into what comes after. */
__device__ float coordinate(int64_t size, int64_t out, int64_t i) {
    return out > 1 ? round_product((float)(size - 1) / (float)(out - 1), (float)i) : 0;
}

struct Pair {
    int64_t low, high;
    float fraction;
};

__device__ Pair sources(int64_t size, int64_t out, int64_t i) {
    float source = coordinate(size, out, i);
    int64_t low = (int64_t)source;
    return {low, low < size - 1 ? low + 1 : low, source - (float)low};
}

__device__ int64_t nearest(int64_t size, int64_t out, int64_t i) {
    int64_t place = (int64_t)(coordinate(size, out, i) + 0.5f);
    return place < size - 1 ? place : size - 1;
}

__global__ void forward_kernel(const float *x, float *y, Resize s, int64_t n) {
    EACH(i, n) {
        const float *window = x + (i / (s.out_rows * s.out_columns) * s.height + s.top) * s.width + s.left;
        Pair down = sources(s.rows, s.out_rows, i / s.out_columns % s.out_rows);
        Pair along = sources(s.columns, s.out_columns, i % s.out_columns);
        const float *upper = window + down.low * s.width, *lower = window + down.high * s.width;
        float left = 1 - along.fraction, right = along.fraction;
        y[i] = (1 - down.fraction) * (left * upper[along.low] + right * upper[along.high]) +
               down.fraction * (left * lower[along.low] + right * lower[along.high]);
    }
}

__global__ void nearest_kernel(const float *x, float *y, Resize s, int64_t n) {
    EACH(i, n) {
        const float *window = x + (i / (s.out_rows * s.out_columns) * s.height + s.top) * s.width + s.left;
        int64_t row = nearest(s.rows, s.out_rows, i / s.out_columns % s.out_rows);
        y[i] = window[row * s.width + nearest(s.columns, s.out_columns, i % s.out_columns)];
    }
}

/* The outputs that may read source `place` along one axis. */
__device__ void readers(int64_t size, int64_t out, int64_t place, int64_t *first, int64_t *last) {
    *first = 0, *last = out - 1;
    if (size < 2 || out < 2) return;
    float steps = (float)(out - 1) / (float)(size - 1);
    int64_t low = (int64_t)((float)(place - 1) * steps) - 1, high = (int64_t)((float)(place + 1) * steps) + 2;
    *first = low > 0 ? low : 0;
    *last = high < out - 1 ? high : out - 1;
}

__device__ float share(Pair pair, int64_t place) {
    return (pair.low == place ? 1 - pair.fraction : 0) + (pair.high == place ? pair.fraction : 0);
}

__global__ void backward_kernel(const float *dy, float *dx, Resize s, int64_t n) {
    EACH(i, n) {
        int64_t column = i % s.width - s.left, row = i / s.width % s.height - s.top;
        float sum = 0;
        if (row >= 0 && row < s.rows && column >= 0 && column < s.columns) {
            const float *plane = dy + i / (s.width * s.height) * s.out_rows * s.out_columns;
            int64_t top, bottom, left, right;
            readers(s.rows, s.out_rows, row, &top, &bottom);
            readers(s.columns, s.out_columns, column, &left, &right);
            for (int64_t p = top; p <= bottom; p++) {
                float weight = share(sources(s.rows, s.out_rows, p), row), line = 0;
                if (weight == 0) continue;
                for (int64_t q = left; q <= right; q++)
                    line += share(sources(s.columns, s.out_columns, q), column) * plane[p * s.out_columns + q];
                sum += weight * line;
            }
        }
        dx[i] = sum;
    }
}

/* Window and output have one size. */
__global__ void copy_backward_kernel(const float *dy, float *dx, Resize s, int64_t n) {
    EACH(i, n) {
        int64_t column = i % s.width - s.left, row = i / s.width % s.height - s.top;
        bool inside = row >= 0 && row < s.rows && column >= 0 && column < s.columns;
        dx[i] = inside ? dy[(i / (s.width * s.height) * s.out_rows + row) * s.out_columns + column] : 0;
    }
}

bool fits(const Resize &s) {
    return s.top >= 0 && s.left >= 0 && s.rows >= 1 && s.columns >= 1 && s.top + s.rows <= s.height &&
           s.left + s.columns <= s.width;
}

bool same_size(const Resize &s) { return s.rows == s.out_rows && s.columns == s.out_columns; }

} // namespace

int interp_forward(const float *x, float *y, int64_t top, int64_t left, int64_t height, int64_t width, int64_t P,
                   int64_t H, int64_t W, int64_t Q, int64_t R) {
    Resize s{P, H, W, top, left, height, width, Q, R};
    if (!fits(s)) return BAD_ARGUMENTS;
    return launch_each(same_size(s) ? nearest_kernel : forward_kernel, P * Q * R, x, y, s, P * Q * R);
}

int interp_nearest_forward(const float *x, float *y, int64_t top, int64_t left, int64_t height, int64_t width,
                           int64_t P, int64_t H, int64_t W, int64_t Q, int64_t R) {
    Resize s{P, H, W, top, left, height, width, Q, R};
    if (!fits(s)) return BAD_ARGUMENTS;
    return launch_each(nearest_kernel, P * Q * R, x, y, s, P * Q * R);
}

int interp_backward(const float *dy, float *dx, int64_t top, int64_t left, int64_t height, int64_t width, int64_t P,
                    int64_t Q, int64_t R, int64_t H, int64_t W) {
    Resize s{P, H, W, top, left, height, width, Q, R};
    if (!fits(s)) return BAD_ARGUMENTS;
    return launch_each(same_size(s) ? copy_backward_kernel : backward_kernel, P * H * W, dy, dx, s, P * H * W);
}
