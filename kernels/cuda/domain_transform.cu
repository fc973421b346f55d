/* The domain transform: a recursive edge-aware smoothing along rows and columns, and its gradient. A thread works along
 * one line of one plane. */
#include "device.h"
#include "runtime.h"

namespace {

constexpr int PASSES = 4;
enum Direction { RIGHT, LEFT, DOWN, UP };

struct Transform {
    int64_t items, channels, height, width, iterations;
    float spatial_sigma, range_sigma, min_weight;
    bool clamp;

    __host__ __device__ int64_t plane() const { return height * width; }
    __host__ __device__ int64_t values() const { return items * channels * plane(); }
};

__host__ __device__ double slope(const Transform &t, int64_t iteration) {
    double rest = (double)(t.iterations - 1 - iteration), all = (double)t.iterations;
    return -sqrt(2.0) / ((double)t.spatial_sigma * sqrt(3.0) * pow(2.0, rest) / sqrt(pow(4.0, all) - 1));
}

__global__ void weights_kernel(const float *g, float *weights, Transform t) {
    float ratio = t.spatial_sigma / t.range_sigma;
    EACH(i, t.iterations * t.items * t.plane()) {
        int64_t iteration = i / (t.items * t.plane());
        float w = expf((float)slope(t, iteration) * (1 + g[i % (t.items * t.plane())] * ratio));
        weights[i] = !t.clamp ? w : w < t.min_weight ? t.min_weight : w > 1 ? 1 : w;
    }
}

/* One line of one plane: where it starts, how far apart its pixels are, and how many of them are filtered. */
struct Line {
    int64_t start, edges, step, count; /* edges: where its weights start */
    __device__ Line(const Transform &t, const float *size, int64_t i, bool along_rows) {
        int64_t lines = along_rows ? t.height : t.width, plane = i / lines, line = i % lines, item = plane / t.channels;
        int64_t height = (int64_t)size[2 * item], width = (int64_t)size[2 * item + 1];
        start = plane * t.plane() + line * (along_rows ? t.width : 1);
        edges = item * t.plane() + line * (along_rows ? t.width : 1);
        step = along_rows ? 1 : t.width;
        bool inside = line < (along_rows ? height : width);
        count = inside ? (along_rows ? width : height) : 0;
    }
};

/* Pixel k takes from pixel k - 1, or backwards from k + 1, whose weight is then the neighbour's. */
__global__ void filter_kernel(float *y, const float *weights, const float *size, bool along_rows, bool backwards,
                              Transform t) {
    EACH(i, t.items * t.channels * (along_rows ? t.height : t.width)) {
        Line line(t, size, i, along_rows);
        const float *w = weights + line.edges;
        float *at = y + line.start;
        for (int64_t n = 1; n < line.count; n++) {
            int64_t k = backwards ? line.count - 1 - n : n, from = backwards ? k + 1 : k - 1;
            float weight = w[(backwards ? from : k) * line.step];
            at[k * line.step] += weight * (at[from * line.step] - at[k * line.step]);
        }
    }
}

/* The reverse of filter_kernel; `before` and `after` are the states around that pass, and `change` gets the gradient of
 * each plane's weights. */
__global__ void reverse_kernel(float *d, float *change, const float *weights, const float *before, const float *after,
                               const float *size, bool along_rows, bool backwards, Transform t) {
    EACH(i, t.items * t.channels * (along_rows ? t.height : t.width)) {
        Line line(t, size, i, along_rows);
        const float *w = weights + line.edges;
        for (int64_t n = line.count - 1; n >= 1; n--) {
            int64_t k = backwards ? line.count - 1 - n : n, from = backwards ? k + 1 : k - 1;
            int64_t edge = (backwards ? from : k) * line.step;
            int64_t here = line.start + k * line.step, there = line.start + from * line.step;
            change[line.start + edge] = d[here] * (after[there] - before[here]);
            d[there] += w[edge] * d[here];
            d[here] *= 1 - w[edge];
        }
    }
}

__global__ void collect_kernel(const float *change, const float *weights, float *dg, float factor, Transform t) {
    EACH(i, t.items * t.plane()) {
        float sum = 0;
        for (int64_t c = 0; c < t.channels; c++)
            sum += change[(i / t.plane() * t.channels + c) * t.plane() + i % t.plane()];
        dg[i] += factor * weights[i] * sum;
    }
}

int filter(float *y, const float *weights, const float *size, int direction, const Transform &t) {
    bool along_rows = direction == RIGHT || direction == LEFT, backwards = direction == LEFT || direction == UP;
    return launch_each(filter_kernel, t.items * t.channels * (along_rows ? t.height : t.width), y, weights, size,
                       along_rows, backwards, t);
}

int check(const Transform &t, const float *size) {
    if (t.iterations < 1) return BAD_ARGUMENTS;
    for (int64_t n = 0; n < t.items; n++) {
        float extent[2];
        RETURN_IF_FAILED(copy_to_host(extent, size + 2 * n, sizeof extent));
        bool fits = extent[0] >= 0 && extent[0] <= (float)t.height && extent[1] >= 0 && extent[1] <= (float)t.width;
        if (!fits) return BAD_VALUE;
    }
    return cudaSuccess;
}

} // namespace

int domain_transform_forward(const float *x, const float *g, const float *size, float *y, int64_t iterations,
                             float spatial_sigma, float range_sigma, float min_weight, bool clamp, int64_t N,
                             int64_t C, int64_t H, int64_t W, int64_t) {
    Transform t{N, C, H, W, iterations, spatial_sigma, range_sigma, min_weight, clamp};
    RETURN_IF_FAILED(check(t, size));
    int64_t each = N * t.plane();
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, (size_t)(iterations * each) * sizeof(float)));
    float *weights = (float *)memory;
    RETURN_IF_FAILED(launch_each(weights_kernel, iterations * each, g, weights, t));
    RETURN_IF_FAILED(copy_on_device(y, x, t.values() * (int64_t)sizeof(float)));
    for (int64_t k = 0; k < iterations * PASSES; k++)
        RETURN_IF_FAILED(filter(y, weights + k / PASSES * each, size, (int)(k % PASSES), t));
    return cudaSuccess;
}

int domain_transform_backward(const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
                              int64_t iterations, float spatial_sigma, float range_sigma, float min_weight, int64_t N,
                              int64_t C, int64_t H, int64_t W, int64_t) {
    Transform t{N, C, H, W, iterations, spatial_sigma, range_sigma, min_weight, true};
    RETURN_IF_FAILED(check(t, size));
    int64_t each = N * t.plane(), values = t.values(), passes = iterations * PASSES;
    const int64_t bytes = values * (int64_t)sizeof(float);
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, (size_t)(iterations * each + (passes + 2) * values) * sizeof(float)));
    float *weights = (float *)memory, *states = weights + iterations * each, *change = states + (passes + 1) * values;
    RETURN_IF_FAILED(launch_each(weights_kernel, iterations * each, g, weights, t));
    RETURN_IF_FAILED(copy_on_device(states, x, bytes));
    for (int64_t k = 0; k < passes; k++) {
        float *after = states + (k + 1) * values;
        RETURN_IF_FAILED(copy_on_device(after, after - values, bytes));
        RETURN_IF_FAILED(filter(after, weights + k / PASSES * each, size, (int)(k % PASSES), t));
    }
    RETURN_IF_FAILED(copy_on_device(dx, dy, bytes));
    RETURN_IF_FAILED(memory_clear(dg, each * (int64_t)sizeof(float)));
    for (int64_t k = passes - 1; k >= 0; k--) {
        int direction = (int)(k % PASSES);
        bool along_rows = direction == RIGHT || direction == LEFT, backwards = direction == LEFT || direction == UP;
        const float *w = weights + k / PASSES * each, *before = states + k * values;
        RETURN_IF_FAILED(memory_clear(change, bytes));
        RETURN_IF_FAILED(launch_each(reverse_kernel, N * C * (along_rows ? H : W), dx, change, w, before,
                                     before + values, size, along_rows, backwards, t));
        float factor = (float)(slope(t, k / PASSES) * (double)spatial_sigma / (double)range_sigma);
        RETURN_IF_FAILED(launch_each(collect_kernel, each, change, w, dg, factor, t));
    }
    return cudaSuccess;
}
