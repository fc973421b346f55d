/* Softmax over channels, alone and with the multinomial logistic loss; arrays are [items, channels, positions]. */
#include <float.h>

#include "channel_sums.h"
#include "label_value.h"

namespace {

constexpr int64_t FEW_POSITIONS = 32; /* below it a block works on one position, else a thread does */

struct Scores {
    int64_t items, channels, positions;
};

__device__ int64_t first_of(const Scores &s, int64_t i) {
    return i / s.positions * s.channels * s.positions + i % s.positions;
}

__global__ void forward_kernel(const float *x, float *y, Scores s) {
    EACH(i, s.items * s.positions) {
        int64_t first = first_of(s, i), end = first + s.channels * s.positions;
        float largest = -INFINITY, sum = 0;
        for (int64_t j = first; j < end; j += s.positions) largest = fmaxf(largest, x[j]);
        for (int64_t j = first; j < end; j += s.positions) {
            float e = expf(x[j] - largest);
            y[j] = e;
            sum += e;
        }
        for (int64_t j = first; j < end; j += s.positions) y[j] /= sum;
    }
}

__global__ void forward_rows_kernel(const float *x, float *y, Scores s) {
    for (int64_t i = blockIdx.x; i < s.items * s.positions; i += gridDim.x) {
        int64_t first = first_of(s, i);
        float largest = -INFINITY, sum = 0;
        for (int64_t c = threadIdx.x; c < s.channels; c += BLOCK) largest = fmaxf(largest, x[first + c * s.positions]);
        largest = block_max(largest);
        for (int64_t c = threadIdx.x; c < s.channels; c += BLOCK) {
            float e = expf(x[first + c * s.positions] - largest);
            y[first + c * s.positions] = e;
            sum += e;
        }
        sum = block_sum(sum);
        for (int64_t c = threadIdx.x; c < s.channels; c += BLOCK) y[first + c * s.positions] /= sum;
    }
}

__global__ void backward_kernel(const float *y, const float *dy, float *dx, Scores s) {
    EACH(i, s.items * s.positions) {
        int64_t first = first_of(s, i), end = first + s.channels * s.positions;
        float dot = 0;
        for (int64_t j = first; j < end; j += s.positions) dot += dy[j] * y[j];
        for (int64_t j = first; j < end; j += s.positions) dx[j] = y[j] * (dy[j] - dot);
    }
}

__global__ void backward_rows_kernel(const float *y, const float *dy, float *dx, Scores s) {
    for (int64_t i = blockIdx.x; i < s.items * s.positions; i += gridDim.x) {
        int64_t first = first_of(s, i);
        float dot = 0;
        for (int64_t c = threadIdx.x; c < s.channels; c += BLOCK)
            dot += dy[first + c * s.positions] * y[first + c * s.positions];
        dot = block_sum(dot);
        for (int64_t c = threadIdx.x; c < s.channels; c += BLOCK) {
            int64_t j = first + c * s.positions;
            dx[j] = y[j] * (dy[j] - dot);
        }
    }
}

struct Labels {
    const float *label, *weight;
    const int32_t *ignore;
    int64_t ignored;
};

/* Sums over the labels used: -w ln p, w, 1; notes the first bad one. */
struct Loss {
    static constexpr int count = 3;
    const float *p;
    Labels labels;
    unsigned long long *bad;
    Scores s;
    __device__ void operator()(double *sum, int64_t i, int64_t) const {
        int64_t c = label_class(labels.label[i], s.channels, labels.ignore, labels.ignored);
        if (c == LABEL_BAD) note_place(bad, i);
        if (c < 0) return;
        double weight = labels.weight ? labels.weight[c] : 1;
        sum[0] -= weight * log((double)fmaxf(p[first_of(s, i) + c * s.positions], FLT_MIN));
        sum[1] += weight;
        sum[2] += 1;
    }
};

struct WriteLoss {
    const unsigned long long *bad;
    double *sums;
    __device__ void operator()(const double *sum, int64_t) const {
        for (int k = 0; k < 3; k++) sums[k] = sum[k];
        sums[3] = *bad == NOWHERE ? -1 : (double)*bad;
    }
};

__global__ void start_kernel(unsigned long long *bad) { *bad = NOWHERE; }

__global__ void loss_backward_kernel(const float *p, Labels labels, float *dx, float scale, Scores s) {
    EACH(i, s.items * s.channels * s.positions) {
        int64_t channel = i / s.positions % s.channels;
        int64_t position = i / (s.positions * s.channels) * s.positions + i % s.positions;
        int64_t c = label_class(labels.label[position], s.channels, labels.ignore, labels.ignored);
        dx[i] = c < 0 ? 0 : scale * (labels.weight ? labels.weight[c] : 1) * (p[i] - (channel == c ? 1 : 0));
    }
}

} // namespace

int softmax_forward(const float *x, float *y, int64_t N, int64_t C, int64_t S) {
    Scores s{N, C, S};
    if (S < FEW_POSITIONS) return launch_rows(forward_rows_kernel, N * S, x, y, s);
    return launch_each(forward_kernel, N * S, x, y, s);
}

int softmax_backward(const float *y, const float *dy, float *dx, int64_t N, int64_t C, int64_t S) {
    Scores s{N, C, S};
    if (S < FEW_POSITIONS) return launch_rows(backward_rows_kernel, N * S, y, dy, dx, s);
    return launch_each(backward_kernel, N * S, y, dy, dx, s);
}

int softmax_loss_forward(const float *x, const float *label, const float *weight, const int32_t *ignore, float *p,
                         double *sums, int64_t N, int64_t C, int64_t S, int64_t K, int64_t) {
    ChannelShape all{1, 1, N * S};
    size_t before = channel_sums_scratch<Loss>(all);
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, before + sizeof(unsigned long long)));
    auto bad = (unsigned long long *)((char *)memory + before);
    RETURN_IF_FAILED(softmax_forward(x, p, N, C, S));
    RETURN_IF_FAILED(launch(start_kernel, dim3(1), dim3(1), 0, bad));
    return channel_sums(Loss{p, {label, weight, ignore, K}, bad, {N, C, S}}, WriteLoss{bad, sums}, all);
}

int softmax_loss_backward(const float *p, const float *label, const float *weight, const int32_t *ignore, float *dx,
                          float scale, int64_t N, int64_t C, int64_t S, int64_t K) {
    return launch_each(loss_backward_kernel, N * C * S, p, Labels{label, weight, ignore, K}, dx, scale,
                       Scores{N, C, S});
}
