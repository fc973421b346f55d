/* Pointwise non-linearities. */
#include "device.h"

__global__ static void relu_forward_kernel(const float *x, float *y, float slope, int64_t n) {
    EACH(i, n) {
        float v = x[i];
        y[i] = v > 0 ? v : (v < 0 ? slope * v : v); /* NaN and zeros stay what they are */
    }
}

__global__ static void relu_backward_kernel(const float *x, const float *dy, float *dx, float slope, int64_t n) {
    EACH(i, n) dx[i] = dy[i] * (x[i] > 0 ? 1 : slope);
}

__global__ static void sigmoid_forward_kernel(const float *x, float *y, float beta, int64_t n) {
    EACH(i, n) y[i] = 1 / (1 + expf(-beta * x[i]));
}

__global__ static void sigmoid_backward_kernel(const float *y, const float *dy, float *dx, int64_t n) {
    EACH(i, n) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

__global__ static void tanh_forward_kernel(const float *x, float *y, int64_t n) {
    EACH(i, n) y[i] = tanhf(x[i]);
}

__global__ static void tanh_backward_kernel(const float *y, const float *dy, float *dx, int64_t n) {
    EACH(i, n) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

__global__ static void elu_forward_kernel(const float *x, float *y, float alpha, int64_t n) {
    EACH(i, n) {
        float v = x[i];
        y[i] = v > 0 ? v : alpha * expm1f(v);
    }
}

__global__ static void elu_backward_kernel(const float *x, const float *y, const float *dy, float *dx, float alpha,
                                           int64_t n) {
    EACH(i, n) dx[i] = dy[i] * (x[i] > 0 ? 1 : y[i] + alpha);
}

__global__ static void clip_forward_kernel(const float *x, float *y, float low, float high, int64_t n) {
    EACH(i, n) {
        float v = x[i];
        y[i] = v < low ? low : v > high ? high : v;
    }
}

__global__ static void clip_backward_kernel(const float *x, const float *dy, float *dx, float low, float high,
                                            int64_t n) {
    EACH(i, n) dx[i] = x[i] >= low && x[i] <= high ? dy[i] : 0;
}

int relu_forward(const float *x, float *y, float slope, int64_t n) {
    return launch_each(relu_forward_kernel, n, x, y, slope, n);
}

int relu_backward(const float *x, const float *dy, float *dx, float slope, int64_t n) {
    return launch_each(relu_backward_kernel, n, x, dy, dx, slope, n);
}

int sigmoid_forward(const float *x, float *y, float beta, int64_t n) {
    return launch_each(sigmoid_forward_kernel, n, x, y, beta, n);
}

int sigmoid_backward(const float *y, const float *dy, float *dx, int64_t n) {
    return launch_each(sigmoid_backward_kernel, n, y, dy, dx, n);
}

int tanh_forward(const float *x, float *y, int64_t n) { return launch_each(tanh_forward_kernel, n, x, y, n); }

int tanh_backward(const float *y, const float *dy, float *dx, int64_t n) {
    return launch_each(tanh_backward_kernel, n, y, dy, dx, n);
}

int elu_forward(const float *x, float *y, float alpha, int64_t n) {
    return launch_each(elu_forward_kernel, n, x, y, alpha, n);
}

int elu_backward(const float *x, const float *y, const float *dy, float *dx, float alpha, int64_t n) {
    return launch_each(elu_backward_kernel, n, x, y, dy, dx, alpha, n);
}

int clip_forward(const float *x, float *y, float low, float high, int64_t n) {
    return launch_each(clip_forward_kernel, n, x, y, low, high, n);
}

int clip_backward(const float *x, const float *dy, float *dx, float low, float high, int64_t n) {
    return launch_each(clip_backward_kernel, n, x, dy, dx, low, high, n);
}
