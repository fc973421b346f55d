/* Moving values without arithmetic. */
#include "device.h"

struct Copy {
    int64_t from_height, from_width, to_height, to_width, from_top, from_left, to_top, to_left, height, width;
};

__global__ static void copy_window_kernel(const float *x, float *y, Copy c, int64_t n) {
    EACH(i, n) {
        int64_t column = i % c.width, row = i / c.width % c.height, plane = i / (c.width * c.height);
        y[(plane * c.to_height + c.to_top + row) * c.to_width + c.to_left + column] =
            x[(plane * c.from_height + c.from_top + row) * c.from_width + c.from_left + column];
    }
}

struct Axes {
    int64_t size[4], step[4]; /* of the result: its sizes, and how far apart its neighbours are in the source */
};

__global__ static void permute_kernel(const float *x, float *y, Axes axes, int64_t n) {
    EACH(i, n) {
        int64_t rest = i, from = 0;
        for (int a = 3; a >= 0; a--) {
            from += rest % axes.size[a] * axes.step[a];
            rest /= axes.size[a];
        }
        y[i] = x[from];
    }
}

__global__ static void fill_kernel(float *y, float value, int64_t n) {
    EACH(i, n) y[i] = value;
}

int copy_window(const float *x, float *y, int64_t x_top, int64_t x_left, int64_t y_top, int64_t y_left, int64_t height,
                int64_t width, int64_t N, int64_t H, int64_t W, int64_t P, int64_t Q) {
    bool inside = x_top >= 0 && x_left >= 0 && y_top >= 0 && y_left >= 0 && height >= 0 && width >= 0 &&
                  x_top + height <= H && x_left + width <= W && y_top + height <= P && y_left + width <= Q;
    if (!inside) return BAD_ARGUMENTS;
    Copy copy{H, W, P, Q, x_top, x_left, y_top, y_left, height, width};
    return launch_each(copy_window_kernel, N * height * width, x, y, copy, N * height * width);
}

int permute_forward(const float *x, float *y, int64_t axis0, int64_t axis1, int64_t axis2, int64_t axis3, int64_t A,
                    int64_t B, int64_t C, int64_t D, int64_t n) {
    const int64_t order[4] = {axis0, axis1, axis2, axis3}, sizes[4] = {A, B, C, D};
    const int64_t steps[4] = {B * C * D, C * D, D, 1};
    Axes axes;
    int seen = 0;
    for (int a = 0; a < 4; a++) {
        if (order[a] < 0 || order[a] > 3) return BAD_ARGUMENTS;
        seen |= 1 << order[a];
        axes.size[a] = sizes[order[a]];
        axes.step[a] = steps[order[a]];
    }
    if (seen != 15 || n != A * B * C * D) return BAD_ARGUMENTS;
    return launch_each(permute_kernel, n, x, y, axes, n);
}

int fill(float *y, float value, int64_t n) { return launch_each(fill_kernel, n, y, value, n); }
