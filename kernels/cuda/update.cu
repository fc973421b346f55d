/* Parameter updates: the gradient becomes d = scale g + l2 w + l1 sign(w), w is moved, g keeps what was subtracted. */
#include "channel_sums.h"

namespace {

struct Decay {
    float scale, l2, l1, rate;
    __device__ float operator()(float w, float g) const {
        float sign = (float)((w > 0) - (w < 0));
        return scale * g + l2 * w + l1 * sign;
    }
};

__device__ void move(float *w, float *g, int64_t i, float step) {
    g[i] = step;
    w[i] -= step;
}

__global__ void sgd_kernel(float *w, float *g, float *h, Decay decay, float momentum, int64_t n) {
    EACH(i, n) {
        h[i] = momentum * h[i] + decay.rate * decay(w[i], g[i]);
        move(w, g, i, h[i]);
    }
}

__global__ void nesterov_kernel(float *w, float *g, float *h, Decay decay, float momentum, int64_t n) {
    EACH(i, n) {
        float before = h[i];
        h[i] = momentum * before + decay.rate * decay(w[i], g[i]);
        move(w, g, i, (1 + momentum) * h[i] - momentum * before);
    }
}

__global__ void adagrad_kernel(float *w, float *g, float *h, Decay decay, float delta, int64_t n) {
    EACH(i, n) {
        float d = decay(w[i], g[i]);
        h[i] += d * d;
        move(w, g, i, decay.rate * d / (sqrtf(h[i]) + delta));
    }
}

__global__ void rmsprop_kernel(float *w, float *g, float *h, Decay decay, float keep, float delta, int64_t n) {
    EACH(i, n) {
        float d = decay(w[i], g[i]);
        h[i] = keep * h[i] + (1 - keep) * d * d;
        move(w, g, i, decay.rate * d / (sqrtf(h[i]) + delta));
    }
}

__global__ void adadelta_kernel(float *w, float *g, float *h, float *v, Decay decay, float keep, float delta,
                                int64_t n) {
    EACH(i, n) {
        float d = decay(w[i], g[i]);
        h[i] = keep * h[i] + (1 - keep) * d * d;
        float u = d * sqrtf((v[i] + delta) / (h[i] + delta));
        v[i] = keep * v[i] + (1 - keep) * u * u;
        move(w, g, i, decay.rate * u);
    }
}

__global__ void adam_kernel(float *w, float *g, float *h, float *v, Decay decay, float beta1, float beta2, float delta,
                            int64_t n) {
    EACH(i, n) {
        float d = decay(w[i], g[i]);
        h[i] = beta1 * h[i] + (1 - beta1) * d;
        v[i] = beta2 * v[i] + (1 - beta2) * d * d;
        move(w, g, i, decay.rate * h[i] / (sqrtf(v[i]) + delta));
    }
}

struct Square {
    static constexpr int count = 1;
    const float *x;
    __device__ void operator()(double *sum, int64_t i, int64_t) const { sum[0] += (double)x[i] * x[i]; }
};

struct Write {
    double *total;
    __device__ void operator()(const double *sum, int64_t) const { *total = sum[0]; }
};

} // namespace

int update_sgd(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float momentum, int64_t n) {
    return launch_each(sgd_kernel, n, w, g, h, Decay{scale, l2, l1, rate}, momentum, n);
}

int update_nesterov(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float momentum,
                    int64_t n) {
    return launch_each(nesterov_kernel, n, w, g, h, Decay{scale, l2, l1, rate}, momentum, n);
}

int update_adagrad(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float delta, int64_t n) {
    return launch_each(adagrad_kernel, n, w, g, h, Decay{scale, l2, l1, rate}, delta, n);
}

int update_rmsprop(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float decay, float delta,
                   int64_t n) {
    return launch_each(rmsprop_kernel, n, w, g, h, Decay{scale, l2, l1, rate}, decay, delta, n);
}

int update_adadelta(float *w, float *g, float *h, float *v, float scale, float l2, float l1, float rate, float decay,
                    float delta, int64_t n) {
    return launch_each(adadelta_kernel, n, w, g, h, v, Decay{scale, l2, l1, rate}, decay, delta, n);
}

int update_adam(float *w, float *g, float *h, float *v, float scale, float l2, float l1, float rate, float beta1,
                float beta2, float delta, int64_t n) {
    return launch_each(adam_kernel, n, w, g, h, v, Decay{scale, l2, l1, rate}, beta1, beta2, delta, n);
}

int sum_squares(const float *x, double *total, int64_t n, int64_t) {
    return channel_sums(Square{x}, Write{total}, {1, 1, n});
}
