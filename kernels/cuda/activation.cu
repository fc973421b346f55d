/* Pointwise non-linearities. */
#include "device.h"

__global__ void relu_forward_kernel(const float *x, float *y, float slope, int64_t n) {
    EACH(i, n) {
        float v = x[i];
        y[i] = v > 0 ? v : slope * v;
    }
}

int relu_forward(const float *x, float *y, float slope, int64_t n) {
    return launch_each(relu_forward_kernel, n, x, y, slope, n);
}
