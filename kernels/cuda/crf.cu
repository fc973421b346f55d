/* The mean-field update of the fully connected CRF; rows are pixels, columns classes and padding. */
#include <float.h>

#include "reduce.h"
#include "runtime.h"
#include "vectors.h"

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

/* The same over LANES neighbours of a warp, without shared memory. */
template <int LANES_, class Operation> __device__ float over_warp(float value, Operation combine) {
    for (int half = LANES_ / 2; half > 0; half /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, half, LANES_));
    return value;
}

/* ACROSS threads hold a pixel's row in registers, four columns each. CORNERS is 0 where it is not known beforehand. */
template <int ACROSS, int CORNERS>
__global__ void update_rows_kernel(const float4 *score, const int32_t *vertex, const float *weight,
                                   const float4 *values, float4 *q, int all, int columns, int64_t n) {
    const int corners = CORNERS ? CORNERS : all, lane = (int)threadIdx.x % ACROSS;
    constexpr int pixels = BLOCK / ACROSS;
    for (int64_t first = (int64_t)blockIdx.x * pixels; first < n; first += (int64_t)gridDim.x * pixels) {
        int64_t pixel = first + (int)threadIdx.x / ACROSS;
        bool inside = pixel < n && lane < columns;
        float4 total = make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
        if (inside) {
            total = score[pixel * columns + lane];
#pragma unroll
            for (int t = 0; t < corners; t++)
                add_product(total, weight[pixel * corners + t],
                            values[(int64_t)vertex[pixel * corners + t] * columns + lane]);
        }
        float largest = fmaxf(fmaxf(total.x, total.y), fmaxf(total.z, total.w));
        largest = over_warp<ACROSS>(largest, Larger());
        total = make_float4(expf(total.x - largest), expf(total.y - largest), expf(total.z - largest),
                            expf(total.w - largest));
        float sum = over_warp<ACROSS>(total.x + total.y + (total.z + total.w), Add());
        if (inside) q[pixel * columns + lane] = make_float4(total.x / sum, total.y / sum, total.z / sum, total.w / sum);
    }
}

template <int ACROSS>
int update_rows(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                int64_t corners, int64_t columns, int64_t n) {
    int64_t blocks = divide_up(n, BLOCK / ACROSS);
    auto kernel = corners == 9 ? update_rows_kernel<ACROSS, 9> : update_rows_kernel<ACROSS, 0>;
    return launch_blocks(kernel, dim3((unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS)), dim3(BLOCK), 0,
                         (const float4 *)score, vertex, weight, (const float4 *)values, (float4 *)q, (int)corners,
                         (int)columns, n);
}

/* For rows of any length. */
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
    EACH(pixel, n) {
        const float *from = score + pixel / width * full_width + pixel % width;
        for (int64_t c = 0; c < columns; c++) packed[pixel * columns + c] = c < classes ? from[c * plane] : -1e30f;
    }
}

__global__ void unpack_kernel(const float *packed, float *score, int64_t height, int64_t width, bool log,
                              int64_t columns, int64_t classes, int64_t full_width, int64_t plane) {
    EACH(i, plane) {
        int64_t x = i % full_width, y = i / full_width;
        const float *row = x < width && y < height ? packed + (y * width + x) * columns : nullptr;
        for (int64_t c = 0; c < classes; c++) {
            float value = row ? row[c] : 0;
            score[c * plane + i] = row && log ? logf(fmaxf(value, FLT_MIN)) : value;
        }
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
    if (whole_vectors(P, score, values, q) && P && P <= 128) {
        auto rows = P <= 4    ? update_rows<1>
                    : P <= 8  ? update_rows<2>
                    : P <= 16 ? update_rows<4>
                    : P <= 32 ? update_rows<8>
                    : P <= 64 ? update_rows<16>
                              : update_rows<32>;
        return rows(score, vertex, weight, values, q, T, P / 4, N);
    }
    int64_t blocks = divide_up(N, BLOCK / LANES);
    return launch_blocks(update_kernel, dim3((unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS)), dim3(BLOCK), 0,
                         score, vertex, weight, values, q, T, P, N);
}

int crf_pack(const float *score, float *packed, int64_t height, int64_t width, int64_t C, int64_t H, int64_t W,
             int64_t N, int64_t P) {
    if (height < 0 || width < 0 || height > H || width > W || height * width != N || C > P) return BAD_ARGUMENTS;
    return launch_each(pack_kernel, N, score, packed, width, C, H * W, W, P, N);
}

int crf_unpack(const float *packed, float *score, int64_t height, int64_t width, bool log, int64_t N, int64_t P,
               int64_t C, int64_t H, int64_t W) {
    if (height < 0 || width < 0 || height > H || width > W || height * width != N || C > P) return BAD_ARGUMENTS;
    return launch_each(unpack_kernel, H * W, packed, score, height, width, log, P, C, W, H * W);
}
