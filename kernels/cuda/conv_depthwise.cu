/* Convolution with one channel per group, directly: output o belongs to channel o / (outputs / channels). */
#include "conv_window.h"
#include "reduce.h"

namespace {

struct Depthwise {
    int64_t items, channels, outputs;
    int64_t image[2], out[2], kernel[2], stride[2], pad[2], dilation[2];
};

__global__ void forward_kernel(const float *x, const float *w, const float *bias, float *y, Depthwise s, int64_t n) {
    EACH(i, n) {
        int64_t q = i % s.out[1], p = i / s.out[1] % s.out[0], map = i / (s.out[0] * s.out[1]);
        int64_t o = map % s.outputs, channel = o / (s.outputs / s.channels);
        const float *plane = x + (map / s.outputs * s.channels + channel) * s.image[0] * s.image[1];
        const float *taps = w + o * s.kernel[0] * s.kernel[1];
        float sum = bias ? bias[o] : 0;
        for (int64_t u = 0; u < s.kernel[0]; u++) {
            int64_t row = p * s.stride[0] - s.pad[0] + u * s.dilation[0];
            if (row < 0 || row >= s.image[0]) continue;
            for (int64_t v = 0; v < s.kernel[1]; v++) {
                int64_t column = q * s.stride[1] - s.pad[1] + v * s.dilation[1];
                if (column >= 0 && column < s.image[1])
                    sum += taps[u * s.kernel[1] + v] * plane[row * s.image[1] + column];
            }
        }
        y[i] = sum;
    }
}

/* The output along an axis that reads `pixel` through `tap`, or -1. */
__device__ int64_t reader(const Depthwise &s, int axis, int64_t pixel, int64_t tap) {
    int64_t at = pixel + s.pad[axis] - tap * s.dilation[axis], to = at / s.stride[axis];
    return at >= 0 && to * s.stride[axis] == at && to < s.out[axis] ? to : -1;
}

__global__ void backward_data_kernel(const float *dy, const float *w, const float *bias, float *dx, Depthwise s,
                                     int64_t n) {
    EACH(i, n) {
        int64_t column = i % s.image[1], row = i / s.image[1] % s.image[0], plane = i / (s.image[0] * s.image[1]);
        int64_t channel = plane % s.channels, each = s.outputs / s.channels;
        float sum = bias ? bias[channel] : 0;
        for (int64_t o = channel * each; o < (channel + 1) * each; o++) {
            const float *map = dy + (plane / s.channels * s.outputs + o) * s.out[0] * s.out[1];
            for (int64_t u = 0; u < s.kernel[0]; u++) {
                int64_t p = reader(s, 0, row, u);
                if (p < 0) continue;
                for (int64_t v = 0; v < s.kernel[1]; v++) {
                    int64_t q = reader(s, 1, column, v);
                    if (q >= 0) sum += w[(o * s.kernel[0] + u) * s.kernel[1] + v] * map[p * s.out[1] + q];
                }
            }
        }
        dx[i] = sum;
    }
}

/* One block per weight. */
__global__ void backward_weights_kernel(const float *x, const float *dy, float *dw, Depthwise s) {
    int64_t taps = s.kernel[0] * s.kernel[1], positions = s.out[0] * s.out[1];
    for (int64_t weight = blockIdx.x; weight < s.outputs * taps; weight += gridDim.x) {
        int64_t o = weight / taps, u = weight % taps / s.kernel[1], v = weight % s.kernel[1];
        int64_t channel = o / (s.outputs / s.channels);
        double sum = 0;
        for (int64_t i = threadIdx.x; i < s.items * positions; i += BLOCK) {
            int64_t item = i / positions, p = i % positions / s.out[1], q = i % s.out[1];
            int64_t row = p * s.stride[0] - s.pad[0] + u * s.dilation[0];
            int64_t column = q * s.stride[1] - s.pad[1] + v * s.dilation[1];
            if (row >= 0 && row < s.image[0] && column >= 0 && column < s.image[1])
                sum += (double)dy[(item * s.outputs + o) * positions + i % positions] *
                       x[((item * s.channels + channel) * s.image[0] + row) * s.image[1] + column];
        }
        double total = block_sum(sum);
        if (threadIdx.x == 0) dw[weight] += (float)total;
    }
}

int check(const Depthwise &s, int64_t inputs) {
    Window window;
    window.axes = 2;
    for (int a = 0; a < 2; a++) {
        window.image[a] = s.image[a], window.out[a] = s.out[a], window.kernel[a] = s.kernel[a];
        window.stride[a] = s.stride[a], window.pad[a] = s.pad[a], window.dilation[a] = s.dilation[a];
    }
    RETURN_IF_FAILED(window_finish(&window));
    bool fits = inputs == 1 && s.channels > 0 && s.outputs % s.channels == 0;
    return fits ? (int)cudaSuccess : BAD_ARGUMENTS;
}

} // namespace

#define DEPTHWISE                                                                                                      \
    Depthwise{N, C, O, {H, W}, {P, Q}, {R, S}, {stride_h, stride_w}, {pad_h, pad_w}, {dilation_h, dilation_w}}

int depthwise_forward(const float *x, const float *w, const float *bias, float *y, int64_t stride_h, int64_t stride_w,
                      int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C,
                      int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P, int64_t Q) {
    Depthwise s = DEPTHWISE;
    RETURN_IF_FAILED(check(s, I));
    return launch_each(forward_kernel, N * O * P * Q, x, w, bias, y, s, N * O * P * Q);
}

int depthwise_backward_data(const float *dy, const float *w, const float *bias, float *dx, int64_t stride_h,
                            int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                            int64_t N, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S, int64_t C,
                            int64_t H, int64_t W) {
    Depthwise s = DEPTHWISE;
    RETURN_IF_FAILED(check(s, I));
    return launch_each(backward_data_kernel, N * C * H * W, dy, w, bias, dx, s, N * C * H * W);
}

int depthwise_backward_weights(const float *x, const float *dy, float *dw, int64_t stride_h, int64_t stride_w,
                               int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N,
                               int64_t C, int64_t H, int64_t W, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R,
                               int64_t S) {
    Depthwise s = DEPTHWISE;
    RETURN_IF_FAILED(check(s, I));
    return launch_rows(backward_weights_kernel, O * R * S, x, dy, dw, s);
}
