/* Maps and sums with one value per channel; arrays are [items, channels, inner]. */
#include "channel_sums.h"

namespace {

/* BatchNorm's factor: scale / sqrt(variance + eps). */
__device__ float inverse_deviation(const float *variance, int64_t c, float eps) {
    return (float)(1 / sqrt((double)variance[c] + (double)eps));
}

__global__ void affine_kernel(const float *x, float *y, const float *scale, const float *shift, float slope, bool relu,
                              ChannelShape s) {
    EACH(i, s.items * s.channels * s.inner) {
        int64_t c = i / s.inner % s.channels;
        float z = x[i] * (scale ? scale[c] : 1) + (shift ? shift[c] : 0);
        y[i] = relu && z < 0 ? slope * z : z;
    }
}

__global__ void normalize_forward_kernel(const float *x, const float *mean, const float *variance, const float *scale,
                                         const float *shift, float *y, float eps, ChannelShape s) {
    EACH(i, s.items * s.channels * s.inner) {
        int64_t c = i / s.inner % s.channels;
        float z = (x[i] - mean[c]) * inverse_deviation(variance, c, eps);
        y[i] = z * (scale ? scale[c] : 1) + (shift ? shift[c] : 0);
    }
}

/* dx where mean and variance are the batch's own, whose sums over the channel `moments` holds: of dy and of dy z. */
__global__ void normalize_backward_kernel(const float *x, const float *dy, const float *mean, const float *variance,
                                          const float *scale, const double *moments, float *dx, float eps,
                                          ChannelShape s) {
    double count = (double)(s.items * s.inner);
    EACH(i, s.items * s.channels * s.inner) {
        int64_t c = i / s.inner % s.channels;
        float inverse = inverse_deviation(variance, c, eps), centred = dy[i];
        if (moments) {
            float z = (x[i] - mean[c]) * inverse;
            centred -= (float)(moments[2 * c] / count) + z * (float)(moments[2 * c + 1] / count);
        }
        dx[i] = inverse * (scale ? scale[c] : 1) * centred;
    }
}

__global__ void prelu_forward_kernel(const float *x, const float *slope, float *y, ChannelShape s) {
    EACH(i, s.items * s.channels * s.inner) y[i] = x[i] < 0 ? x[i] * slope[i / s.inner % s.channels] : x[i];
}

__global__ void prelu_backward_kernel(const float *x, const float *dy, const float *slope, float *dx, ChannelShape s) {
    EACH(i, s.items * s.channels * s.inner) dx[i] = dy[i] * (x[i] > 0 ? 1 : slope[i / s.inner % s.channels]);
}

struct Sum {
    static constexpr int count = 1;
    const float *x;
    __device__ void operator()(double *sum, int64_t i, int64_t) const { sum[0] += x[i]; }
};

struct Dot {
    static constexpr int count = 1;
    const float *x, *dy;
    __device__ void operator()(double *sum, int64_t i, int64_t) const { sum[0] += (double)x[i] * dy[i]; }
};

struct NegativeDot {
    static constexpr int count = 1;
    const float *x, *dy;
    __device__ void operator()(double *sum, int64_t i, int64_t) const { sum[0] += x[i] > 0 ? 0 : (double)x[i] * dy[i]; }
};

/* Sums of x - pivot and of its square; the pivot, the channel's first value, keeps cancellation harmless. */
struct Moments {
    static constexpr int count = 2;
    const float *x;
    int64_t inner;
    __device__ void operator()(double *sum, int64_t i, int64_t c) const {
        double d = (double)x[i] - x[c * inner];
        sum[0] += d;
        sum[1] += d * d;
    }
};

struct CentredDot {
    static constexpr int count = 2;
    const float *x, *dy, *mean;
    __device__ void operator()(double *sum, int64_t i, int64_t c) const {
        sum[0] += dy[i];
        sum[1] += dy[i] * ((double)x[i] - mean[c]);
    }
};

struct AddTo {
    float *total;
    __device__ void operator()(const double *sum, int64_t c) const { total[c] += (float)sum[0]; }
};

struct MeanAndVariance {
    const float *x;
    float *mean, *variance;
    ChannelShape s;
    __device__ void operator()(const double *sum, int64_t c) const {
        double values = (double)(s.items * s.inner);
        if (values == 0) {
            mean[c] = variance[c] = 0;
            return;
        }
        double shift = sum[0] / values, spread = sum[1] / values - shift * shift;
        mean[c] = (float)(x[c * s.inner] + shift);
        variance[c] = (float)(spread < 0 ? 0 : spread);
    }
};

struct NormalizeGradients {
    const float *variance;
    double *moments;
    float *dscale, *dshift;
    float eps;
    __device__ void operator()(const double *sum, int64_t c) const {
        double dot = sum[1] * inverse_deviation(variance, c, eps);
        if (moments) moments[2 * c] = sum[0], moments[2 * c + 1] = dot;
        if (dscale) dscale[c] += (float)dot;
        if (dshift) dshift[c] += (float)sum[0];
    }
};

} // namespace

int channel_affine_forward(const float *x, float *y, const float *scale, const float *shift, float slope, bool relu,
                           int64_t N, int64_t C, int64_t n) {
    return launch_each(affine_kernel, N * C * n, x, y, scale, shift, slope, relu, ChannelShape{N, C, n});
}

int channel_scale_gradient(const float *x, const float *dy, float *dscale, int64_t N, int64_t C, int64_t n) {
    return channel_sums(Dot{x, dy}, AddTo{dscale}, {N, C, n});
}

int channel_bias_gradient(const float *dy, float *dshift, int64_t N, int64_t C, int64_t n) {
    return channel_sums(Sum{dy}, AddTo{dshift}, {N, C, n});
}

int channel_statistics(const float *x, float *mean, float *variance, int64_t N, int64_t C, int64_t n) {
    ChannelShape shape{N, C, n};
    return channel_sums(Moments{x, n}, MeanAndVariance{x, mean, variance, shape}, shape);
}

int channel_normalize_forward(const float *x, const float *mean, const float *variance, const float *scale,
                              const float *shift, float *y, float eps, int64_t N, int64_t C, int64_t n) {
    return launch_each(normalize_forward_kernel, N * C * n, x, mean, variance, scale, shift, y, eps,
                       ChannelShape{N, C, n});
}

int channel_normalize_backward(const float *x, const float *dy, const float *mean, const float *variance,
                               const float *scale, float *dx, float *dscale, float *dshift, float eps, bool batch,
                               int64_t N, int64_t C, int64_t n) {
    ChannelShape shape{N, C, n};
    double *moments = nullptr; /* they lie behind what channel_sums uses */
    if (dx && batch) {
        size_t before = channel_sums_scratch<CentredDot>(shape);
        void *memory;
        RETURN_IF_FAILED(device_scratch(&memory, before + (size_t)(2 * C) * sizeof(double)));
        moments = (double *)((char *)memory + before);
    }
    if (moments || dscale || dshift)
        RETURN_IF_FAILED(channel_sums(CentredDot{x, dy, mean},
                                      NormalizeGradients{variance, moments, dscale, dshift, eps}, shape));
    if (!dx) return cudaSuccess;
    return launch_each(normalize_backward_kernel, N * C * n, x, dy, mean, variance, scale, moments, dx, eps,
                       shape);
}

int prelu_forward(const float *x, const float *slope, float *y, int64_t N, int64_t C, int64_t n) {
    return launch_each(prelu_forward_kernel, N * C * n, x, slope, y, ChannelShape{N, C, n});
}

int prelu_backward(const float *x, const float *dy, const float *slope, float *dx, int64_t N, int64_t C, int64_t n) {
    return launch_each(prelu_backward_kernel, N * C * n, x, dy, slope, dx, ChannelShape{N, C, n});
}

int prelu_slope_gradient(const float *x, const float *dy, float *dslope, int64_t N, int64_t C, int64_t n) {
    return channel_sums(NegativeDot{x, dy}, AddTo{dslope}, {N, C, n});
}
