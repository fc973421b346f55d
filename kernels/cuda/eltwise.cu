/* Arithmetic between arrays of one shape. */
#include "device.h"

__global__ static void add_kernel(const float *a, const float *b, float *y, float alpha, float beta, bool relu,
                                  int64_t n) {
    EACH(i, n) {
        float z = alpha * a[i] + beta * b[i];
        y[i] = relu && z < 0 ? 0 : z;
    }
}

__global__ static void multiply_kernel(const float *a, const float *b, float *y, int64_t n) {
    EACH(i, n) y[i] = a[i] * b[i];
}

__global__ static void ratio_kernel(const float *y, const float *x, const float *dy, float *dx, int64_t n) {
    EACH(i, n) dx[i] = y[i] / x[i] * dy[i];
}

__global__ static void max_forward_kernel(const float *a, const float *b, float *y, int32_t *winner, int64_t index,
                                          int64_t n) {
    EACH(i, n) {
        bool first = a[i] > b[i];
        if (!first)
            winner[i] = (int32_t)index;
        else if (index == 1)
            winner[i] = 0;
        y[i] = first ? a[i] : b[i];
    }
}

__global__ static void max_backward_kernel(const int32_t *winner, const float *dy, float *dx, int64_t index,
                                           int64_t n) {
    EACH(i, n) dx[i] = winner[i] == index ? dy[i] : 0;
}

__global__ static void axpby_kernel(const float *x, float *y, float alpha, float beta, int64_t n) {
    EACH(i, n) y[i] = beta == 0 ? alpha * x[i] : alpha * x[i] + beta * y[i];
}

int eltwise_add_forward(const float *a, const float *b, float *y, float alpha, float beta, bool relu, int64_t n) {
    return launch_each(add_kernel, n, a, b, y, alpha, beta, relu, n);
}

int eltwise_multiply_forward(const float *a, const float *b, float *y, int64_t n) {
    return launch_each(multiply_kernel, n, a, b, y, n);
}

int eltwise_ratio_backward(const float *y, const float *x, const float *dy, float *dx, int64_t n) {
    return launch_each(ratio_kernel, n, y, x, dy, dx, n);
}

int eltwise_max_forward(const float *a, const float *b, float *y, int32_t *winner, int64_t index, int64_t n) {
    return launch_each(max_forward_kernel, n, a, b, y, winner, index, n);
}

int eltwise_max_backward(const int32_t *winner, const float *dy, float *dx, int64_t index, int64_t n) {
    return launch_each(max_backward_kernel, n, winner, dy, dx, index, n);
}

int axpby(const float *x, float *y, float alpha, float beta, int64_t n) {
    return launch_each(axpby_kernel, n, x, y, alpha, beta, n);
}
