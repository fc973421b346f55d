/* Filtering with a built lattice: splatting, blurring and slicing. Neighbours in x work on neighbouring columns of a
 * row (one each, or four), so that rows are read whole; other threads of the block work on other rows. */
#include "runtime.h"
#include "vectors.h"

namespace {

constexpr int PARTS = 4; /* threads that share the points of a vertex */

/* The last row, of the vertex that is not there, stays zero. */
template <class V>
__global__ void splat_kernel(const V *x, const int32_t *start, const int32_t *point, const float *share, V *values,
                             int64_t rows, int columns) {
    __shared__ V partial[BLOCK];
    const int step = (int)blockDim.x, part = (int)threadIdx.y;
    const int at = (int)threadIdx.x + step * (part + PARTS * (int)threadIdx.z);
    for (int64_t first = (int64_t)blockIdx.x * blockDim.z; first < rows; first += (int64_t)gridDim.x * blockDim.z) {
        int64_t v = first + threadIdx.z;
        for (int begin = 0; begin < columns; begin += step) {
            int c = begin + (int)threadIdx.x;
            V sum;
            clear(sum);
            if (v < rows - 1 && c < columns) {
                int32_t end = start[v + 1];
#pragma unroll 4
                for (int32_t e = start[v] + part; e < end; e += PARTS)
                    add_product(sum, share[e], x[(int64_t)point[e] * columns + c]);
            }
            __syncthreads(); /* the last sums have been read */
            partial[at] = sum;
            __syncthreads();
            if (part || v >= rows || c >= columns) continue;
            for (int other = 1; other < PARTS; other++) add_product(sum, 1, partial[at + other * step]);
            values[v * columns + c] = sum;
        }
    }
}

template <class V>
__global__ void blur_kernel(const V *from, V *to, const int32_t *neighbour, int64_t rows, int columns) {
    for (int64_t v = (int64_t)blockIdx.x * blockDim.y + threadIdx.y; v < rows; v += (int64_t)gridDim.x * blockDim.y)
        for (int c = (int)threadIdx.x; c < columns; c += (int)blockDim.x) {
            V sum;
            clear(sum);
            if (v < rows - 1) {
                sum = from[v * columns + c];
                add_product(sum, 0.5f, from[(int64_t)neighbour[2 * v] * columns + c]);
                add_product(sum, 0.5f, from[(int64_t)neighbour[2 * v + 1] * columns + c]);
            }
            to[v * columns + c] = sum;
        }
}

template <class V>
__global__ void slice_kernel(const V *values, const int32_t *vertex, const float *weight, V *y, int k, int columns,
                             int64_t points) {
    for (int64_t i = (int64_t)blockIdx.x * blockDim.y + threadIdx.y; i < points; i += (int64_t)gridDim.x * blockDim.y)
        for (int c = (int)threadIdx.x; c < columns; c += (int)blockDim.x) {
            V sum;
            clear(sum);
            for (int64_t j = i * k; j < (i + 1) * k; j++)
                add_product(sum, weight[j], values[(int64_t)vertex[j] * columns + c]);
            y[i * columns + c] = sum;
        }
}

__global__ void scale_kernel(const float *sum, float *scale, float factor, bool root, int64_t n) {
    EACH(i, n) {
        float inverse = 1 / (factor * sum[i] + 1e-20f);
        scale[i] = root ? sqrtf(inverse) : inverse;
    }
}

dim3 blocks_for(int64_t rows, int64_t rows_per_block) {
    int64_t blocks = divide_up(rows, rows_per_block);
    return dim3((unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS));
}

/* A block of rows by columns, at most BLOCK threads. */
dim3 rows_block(int64_t columns) {
    int across = (int)(columns < BLOCK ? columns : BLOCK);
    return dim3((unsigned)across, (unsigned)(BLOCK / across));
}

template <class V>
int gather(const V *x, const int32_t *start, const int32_t *point, const float *share, const int32_t *neighbour,
           V *values, V *other, int64_t rows, int64_t columns, int64_t axes) {
    const int64_t most = BLOCK / PARTS, across = columns < most ? columns : most, vertices = most / across;
    V *from = axes % 2 ? other : values, *to = axes % 2 ? values : other; /* so that the last axis ends in values */
    RETURN_IF_FAILED(launch_blocks(splat_kernel<V>, blocks_for(rows, vertices),
                                   dim3((unsigned)across, PARTS, (unsigned)vertices), 0, x, start, point, share, from,
                                   rows, (int)columns));
    const dim3 block = rows_block(columns);
    for (int64_t axis = 0; axis < axes; axis++) {
        RETURN_IF_FAILED(launch(blur_kernel<V>, blocks_for(rows, block.y), block, 0, from, to,
                                neighbour + axis * (rows - 1) * 2, rows, (int)columns));
        V *swap = from;
        from = to, to = swap;
    }
    return cudaSuccess;
}

template <class V>
int slice(const V *values, const int32_t *vertex, const float *weight, V *y, int64_t k, int64_t columns, int64_t n) {
    const dim3 block = rows_block(columns);
    return launch(slice_kernel<V>, blocks_for(n, block.y), block, 0, values, vertex, weight, y, (int)k, (int)columns,
                  n);
}

} // namespace

int lattice_gather(const float *x, const int32_t *start, const int32_t *point, const float *share,
                   const int32_t *neighbour, float *values, float *other, int64_t, int64_t P, int64_t R, int64_t,
                   int64_t k, int64_t M, int64_t) {
    if (R != M + 1 || P > INT32_MAX) return BAD_ARGUMENTS;
    if (!P) return cudaSuccess;
    if (whole_vectors(P, x, values, other))
        return gather((const float4 *)x, start, point, share, neighbour, (float4 *)values, (float4 *)other, R, P / 4,
                      k);
    return gather(x, start, point, share, neighbour, values, other, R, P, k);
}

int lattice_slice(const float *values, const int32_t *vertex, const float *weight, float *y, int64_t, int64_t P,
                  int64_t N, int64_t k) {
    if (!P) return cudaSuccess;
    if (whole_vectors(P, values, y))
        return slice((const float4 *)values, vertex, weight, (float4 *)y, k, P / 4, N);
    return slice(values, vertex, weight, y, k, P, N);
}

int lattice_scale(const float *sum, float *scale, float factor, bool root, int64_t N) {
    return launch_each(scale_kernel, N, sum, scale, factor, root, N);
}
