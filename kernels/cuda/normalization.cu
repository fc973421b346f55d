/* Local response normalisation and L2 normalisation. */
#include "device.h"

namespace {

struct Channels {
    int64_t items, channels, inner;
};

/* A window of `size` neighbours around `at`, cut to 0..extent-1. */
struct Around {
    int64_t first, last;
    __device__ Around(int64_t at, int64_t size, int64_t extent) {
        int64_t before = (size - 1) / 2, after = size - 1 - before;
        first = at > before ? at - before : 0;
        last = at + after < extent - 1 ? at + after : extent - 1;
    }
};

__global__ void across_forward_kernel(const float *x, float *y, float *s, int64_t size, float alpha, float beta,
                                      float k, Channels a) {
    EACH(i, a.items * a.channels * a.inner) {
        int64_t c = i / a.inner % a.channels;
        Around window(c, size, a.channels);
        float sum = 0;
        for (int64_t j = window.first; j <= window.last; j++) {
            float v = x[i + (j - c) * a.inner];
            sum += v * v;
        }
        s[i] = k + alpha / (float)size * sum;
        y[i] = x[i] * powf(s[i], -beta);
    }
}

__global__ void across_backward_kernel(const float *x, const float *y, const float *s, const float *dy, float *dx,
                                       int64_t size, float alpha, float beta, Channels a) {
    EACH(i, a.items * a.channels * a.inner) {
        int64_t c = i / a.inner % a.channels;
        Around window(c, size, a.channels);
        float sum = 0;
        for (int64_t j = window.first; j <= window.last; j++) {
            int64_t at = i + (j - c) * a.inner;
            sum += dy[at] * y[at] / s[at];
        }
        dx[i] = dy[i] * powf(s[i], -beta) - 2 * alpha * beta / (float)size * x[i] * sum;
    }
}

__global__ void within_forward_kernel(const float *x, float *y, float *s, int64_t size, float alpha, float beta,
                                      float k, int64_t height, int64_t width, int64_t n) {
    EACH(i, n) {
        int64_t row = i / width % height, column = i % width;
        Around rows(row, size, height), columns(column, size, width);
        const float *plane = x + i - row * width - column;
        float sum = 0;
        for (int64_t h = rows.first; h <= rows.last; h++)
            for (int64_t w = columns.first; w <= columns.last; w++) sum += plane[h * width + w] * plane[h * width + w];
        s[i] = k + alpha / (float)(size * size) * sum;
        y[i] = x[i] * powf(s[i], -beta);
    }
}

__global__ void within_backward_kernel(const float *x, const float *y, const float *s, const float *dy, float *dx,
                                       int64_t size, float alpha, float beta, int64_t height, int64_t width,
                                       int64_t n) {
    EACH(i, n) {
        int64_t row = i / width % height, column = i % width, plane = i - row * width - column;
        Around rows(row, size, height), columns(column, size, width);
        float sum = 0;
        for (int64_t h = rows.first; h <= rows.last; h++)
            for (int64_t w = columns.first; w <= columns.last; w++) {
                int64_t at = plane + h * width + w;
                sum += dy[at] * y[at] / s[at];
            }
        dx[i] = dy[i] * powf(s[i], -beta) - 2 * alpha * beta / (float)(size * size) * x[i] * sum;
    }
}

__global__ void l2_forward_kernel(const float *x, float *y, float *norm, float eps, Channels a) {
    EACH(i, a.items * a.inner) {
        int64_t first = i / a.inner * a.channels * a.inner + i % a.inner;
        double sum = 0;
        for (int64_t c = 0; c < a.channels; c++) {
            double v = x[first + c * a.inner];
            sum += v * v;
        }
        norm[i] = (float)sqrt(sum + (double)eps);
        for (int64_t c = 0; c < a.channels; c++) y[first + c * a.inner] = x[first + c * a.inner] / norm[i];
    }
}

__global__ void l2_backward_kernel(const float *x, const float *norm, const float *dy, float *dx, Channels a) {
    EACH(i, a.items * a.inner) {
        int64_t first = i / a.inner * a.channels * a.inner + i % a.inner;
        double dot = 0;
        for (int64_t c = 0; c < a.channels; c++) dot += (double)x[first + c * a.inner] * dy[first + c * a.inner];
        float projection = (float)(dot / ((double)norm[i] * norm[i]));
        for (int64_t c = 0; c < a.channels; c++) {
            int64_t at = first + c * a.inner;
            dx[at] = (dy[at] - x[at] * projection) / norm[i];
        }
    }
}

} // namespace

int lrn_across_forward(const float *x, float *y, float *s, int64_t size, float alpha, float beta, float k, int64_t N,
                       int64_t C, int64_t n) {
    if (size < 1) return BAD_ARGUMENTS;
    return launch_each(across_forward_kernel, N * C * n, x, y, s, size, alpha, beta, k, Channels{N, C, n});
}

int lrn_across_backward(const float *x, const float *y, const float *s, const float *dy, float *dx, int64_t size,
                        float alpha, float beta, int64_t N, int64_t C, int64_t n) {
    if (size < 1) return BAD_ARGUMENTS;
    return launch_each(across_backward_kernel, N * C * n, x, y, s, dy, dx, size, alpha, beta, Channels{N, C, n});
}

int lrn_within_forward(const float *x, float *y, float *s, int64_t size, float alpha, float beta, float k, int64_t N,
                       int64_t H, int64_t W) {
    if (size < 1) return BAD_ARGUMENTS;
    return launch_each(within_forward_kernel, N * H * W, x, y, s, size, alpha, beta, k, H, W, N * H * W);
}

int lrn_within_backward(const float *x, const float *y, const float *s, const float *dy, float *dx, int64_t size,
                        float alpha, float beta, int64_t N, int64_t H, int64_t W) {
    if (size < 1) return BAD_ARGUMENTS;
    return launch_each(within_backward_kernel, N * H * W, x, y, s, dy, dx, size, alpha, beta, H, W, N * H * W);
}

int l2_normalize_forward(const float *x, float *y, float *norm, float eps, int64_t N, int64_t C, int64_t n) {
    return launch_each(l2_forward_kernel, N * n, x, y, norm, eps, Channels{N, C, n});
}

int l2_normalize_backward(const float *x, const float *norm, const float *dy, float *dx, int64_t N, int64_t C,
                          int64_t n) {
    return launch_each(l2_backward_kernel, N * n, x, norm, dy, dx, Channels{N, C, n});
}
