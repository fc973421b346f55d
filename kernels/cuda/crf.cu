/* The mean-field update of the fully connected CRF; rows are pixels, columns classes and padding. */
#include <float.h>

#include "reduce.h"
#include "runtime.h"

namespace {

constexpr int LANES = 32; /* threads that share a pixel */

__global__ void join_kernel(const int32_t *vertex, const float *weight, const float *scale, int32_t *all_vertex,
                            float *all_weight, int64_t column, int64_t base, float factor, int64_t k, int64_t all,
                            int64_t n) {
    EACH(i, n) {
        int64_t point = i / k, to = point * all + column + i % k;
        all_vertex[to] = (int32_t)(vertex[i] + base);
        all_weight[to] = weight[i] * factor * (scale ? scale[point] : 1);
    }
}

__global__ void mix_kernel(const float *matrix, const float *before, float *values, int64_t classes, int64_t columns,
                           int64_t n) {
    EACH(i, n) {
        int64_t c = i % columns;
        float sum = 0;
        if (c < classes)
            for (int64_t j = 0; j < classes; j++) sum += matrix[c * classes + j] * before[i - c + j];
        values[i] = sum;
    }
}

/* The largest or the sum of `value` over a pixel's lanes, which are neighbours in x. */
template <class Operation> __device__ float over_lanes(float value, Operation combine) {
    __shared__ float partial[BLOCK];
    int at = (int)threadIdx.x, lane = at % LANES;
    __syncthreads();
    partial[at] = value;
    for (int half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) partial[at] = combine(partial[at], partial[at + half]);
    }
    __syncthreads();
    return partial[at - lane];
}

__global__ void update_kernel(const float *score, const int32_t *vertex, const float *weight, const float *values,
                              float *q, int64_t corners, int64_t columns, int64_t n) {
    int lane = (int)threadIdx.x % LANES;
    constexpr int pixels = BLOCK / LANES;
    for (int64_t first = (int64_t)blockIdx.x * pixels; first < n; first += (int64_t)gridDim.x * pixels) {
        int64_t pixel = first + (int)threadIdx.x / LANES;
        bool inside = pixel < n;
        float largest = -INFINITY, sum = 0;
        for (int64_t c = lane; inside && c < columns; c += LANES) {
            float total = score[pixel * columns + c];
            for (int64_t t = 0; t < corners; t++)
                total += weight[pixel * corners + t] * values[vertex[pixel * corners + t] * columns + c];
            q[pixel * columns + c] = total;
            largest = fmaxf(largest, total);
        }
        largest = over_lanes(largest, Larger());
        for (int64_t c = lane; inside && c < columns; c += LANES) {
            float e = expf(q[pixel * columns + c] - largest);
            q[pixel * columns + c] = e;
            sum += e;
        }
        sum = over_lanes(sum, Add());
        for (int64_t c = lane; inside && c < columns; c += LANES) q[pixel * columns + c] /= sum;
    }
}

__global__ void pack_kernel(const float *score, float *packed, int64_t width, int64_t classes, int64_t plane,
                            int64_t full_width, int64_t columns, int64_t n) {
    EACH(i, n) {
        int64_t pixel = i / columns, c = i % columns;
        packed[i] = c < classes ? score[c * plane + pixel / width * full_width + pixel % width] : -1e30f;
    }
}

__global__ void unpack_kernel(const float *packed, float *score, int64_t height, int64_t width, bool log,
                              int64_t columns, int64_t full_height, int64_t full_width, int64_t n) {
    EACH(i, n) {
        int64_t x = i % full_width, y = i / full_width % full_height, c = i / (full_width * full_height);
        float value = 0;
        if (x < width && y < height) {
            value = packed[(y * width + x) * columns + c];
            if (log) value = logf(fmaxf(value, FLT_MIN));
        }
        score[i] = value;
    }
}

} // namespace

int crf_join(const int32_t *vertex, const float *weight, const float *scale, int32_t *all_vertex, float *all_weight,
             int64_t column, int64_t base, float factor, int64_t N, int64_t k, int64_t T) {
    if (column < 0 || column + k > T) return BAD_ARGUMENTS;
    return launch_each(join_kernel, N * k, vertex, weight, scale, all_vertex, all_weight, column, base, factor, k, T,
                       N * k);
}

int crf_mix(const float *matrix, float *values, int64_t C, int64_t R, int64_t P) {
    if (C > P) return BAD_ARGUMENTS;
    void *before;
    RETURN_IF_FAILED(device_scratch(&before, (size_t)(R * P) * sizeof(float)));
    RETURN_IF_FAILED(copy_on_device(before, values, R * P * (int64_t)sizeof(float)));
    return launch_each(mix_kernel, R * P, matrix, (float *)before, values, C, P, R * P);
}

int crf_update(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q, int64_t N,
               int64_t P, int64_t T, int64_t) {
    int64_t blocks = divide_up(N, BLOCK / LANES);
    return launch_blocks(update_kernel, dim3((unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS)), dim3(BLOCK), 0,
                         score, vertex, weight, values, q, T, P, N);
}

int crf_pack(const float *score, float *packed, int64_t height, int64_t width, int64_t C, int64_t H, int64_t W,
             int64_t N, int64_t P) {
    if (height < 0 || width < 0 || height > H || width > W || height * width != N || C > P) return BAD_ARGUMENTS;
    return launch_each(pack_kernel, N * P, score, packed, width, C, H * W, W, P, N * P);
}

int crf_unpack(const float *packed, float *score, int64_t height, int64_t width, bool log, int64_t N, int64_t P,
               int64_t C, int64_t H, int64_t W) {
    if (height < 0 || width < 0 || height > H || width > W || height * width != N || C > P) return BAD_ARGUMENTS;
    return launch_each(unpack_kernel, C * H * W, packed, score, height, width, log, P, H, W, C * H * W);
}
