/* Putting pooled values back where they came from. */
#include "runtime.h"
#include "device.h"

namespace {

struct Planes {
    int64_t count, pooled, pixels;
};

__global__ void mask_kernel(const int32_t *index, float *mask, int64_t n) {
    EACH(i, n) mask[i] = (float)index[i];
}

/* The last pooled value, counted from 1, that goes to each pixel; bad positions are counted. */
__global__ void claim_kernel(const float *mask, int32_t *owner, int32_t *bad, Planes s) {
    EACH(i, s.count * s.pooled) {
        float position = mask[i];
        if (position >= 0 && position < (float)s.pixels)
            atomicMax(owner + i / s.pooled * s.pixels + (int64_t)position, (int32_t)(i % s.pooled) + 1);
        else
            atomicAdd(bad, 1);
    }
}

__global__ void place_kernel(const float *x, const int32_t *owner, float *y, Planes s) {
    EACH(i, s.count * s.pixels) {
        int32_t from = owner[i];
        y[i] = from ? x[i / s.pixels * s.pooled + from - 1] : 0;
    }
}

__global__ void backward_kernel(const float *dy, const float *mask, float *dx, int32_t *bad, Planes s) {
    EACH(i, s.count * s.pooled) {
        float position = mask[i];
        bool good = position >= 0 && position < (float)s.pixels;
        dx[i] = good ? dy[i / s.pooled * s.pixels + (int64_t)position] : 0;
        if (!good) atomicAdd(bad, 1);
    }
}

int check(const int32_t *bad) {
    int32_t count;
    RETURN_IF_FAILED(copy_to_host(&count, bad, sizeof count));
    return count ? BAD_VALUE : (int)cudaSuccess;
}

} // namespace

int pool_mask(const int32_t *index, float *mask, int64_t n) { return launch_each(mask_kernel, n, index, mask, n); }

int unpool_forward(const float *x, const float *mask, float *y, int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H,
                   int64_t W) {
    Planes s{N * C, P * Q, H * W};
    void *memory;
    int64_t bytes = (s.count * s.pixels + 1) * (int64_t)sizeof(int32_t);
    RETURN_IF_FAILED(device_scratch(&memory, (size_t)bytes));
    int32_t *bad = (int32_t *)memory, *owner = bad + 1;
    RETURN_IF_FAILED(memory_clear(memory, bytes));
    RETURN_IF_FAILED(launch_each(claim_kernel, s.count * s.pooled, mask, owner, bad, s));
    RETURN_IF_FAILED(launch_each(place_kernel, s.count * s.pixels, x, owner, y, s));
    return check(bad);
}

int unpool_backward(const float *dy, const float *mask, float *dx, int64_t N, int64_t C, int64_t H, int64_t W,
                    int64_t P, int64_t Q) {
    Planes s{N * C, P * Q, H * W};
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, sizeof(int32_t)));
    RETURN_IF_FAILED(memory_clear(memory, sizeof(int32_t)));
    RETURN_IF_FAILED(launch_each(backward_kernel, s.count * s.pooled, dy, mask, dx, (int32_t *)memory, s));
    return check((int32_t *)memory);
}
