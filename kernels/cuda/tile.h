/* Products of tiles that are copied to shared memory while the tiles before are multiplied. A block makes ROWS x COLUMNS
 * sums over a range of k; two loaders bring DEPTH terms at a time: loader.load(tile, k, end) writes tile[term * pitch +
 * place] by copy_or_zero, and 0 from term `end` on. */
#pragma once

#include "device.h"

constexpr int DEPTH = 16;
constexpr int TILE_THREADS = 256;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define HAS_ASYNC_COPIES
#endif

/* *to = inside ? *from : 0, done at the latest when copies_finish returns; `from` may be read only if inside. */
static __device__ __forceinline__ void copy_or_zero(float *to, const float *from, bool inside) {
#ifdef HAS_ASYNC_COPIES
    unsigned target = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(target), "l"(from), "r"(inside ? 4 : 0)
                 : "memory");
#else
    *to = inside ? *from : 0;
#endif
}

/* Wait for this thread's copies; other threads see them after the next __syncthreads. */
static __device__ __forceinline__ void copies_finish() {
#ifdef HAS_ASYNC_COPIES
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/* Sums in single precision: every thread makes groups of 4 x 4, spread so that a warp reads whole lines. */
template <int R, int C> struct PlainProduct {
    static constexpr int ROWS = R, COLUMNS = C, PAD = 4;
    static constexpr int ACROSS = C >= 128 && R < 128 ? 32 : 16, DOWN = TILE_THREADS / ACROSS;
    static constexpr int M = R / DOWN / 4, N = C / ACROSS / 4;
    static_assert(M * DOWN * 4 == R && N * ACROSS * 4 == C && ACROSS % 8 == 0 && DOWN % 4 == 0, "a tile of this size");

    float sum[M][4][N][4];
    int x, y;

    __device__ PlainProduct() : sum() {
        int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
        x = (warp % (ACROSS / 8) * 8 + lane % 8) * 4;
        y = (warp / (ACROSS / 8) * 4 + lane / 8) * 4;
    }

    __device__ __forceinline__ void add(const float *rows, const float *columns) {
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            float4 left[M], right[N];
#pragma unroll
            for (int i = 0; i < M; i++) left[i] = *(const float4 *)(rows + k * (R + PAD) + i * DOWN * 4 + y);
#pragma unroll
            for (int j = 0; j < N; j++) right[j] = *(const float4 *)(columns + k * (C + PAD) + j * ACROSS * 4 + x);
#pragma unroll
            for (int i = 0; i < M; i++)
#pragma unroll
                for (int j = 0; j < N; j++) {
                    add_row(sum[i][0][j], left[i].x, right[j]), add_row(sum[i][1][j], left[i].y, right[j]);
                    add_row(sum[i][2][j], left[i].z, right[j]), add_row(sum[i][3][j], left[i].w, right[j]);
                }
        }
    }

    /* store(place(column), row, sum) for every sum of this thread. */
    template <class Place, class Store> __device__ __forceinline__ void each(Place place, Store store) const {
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int v = 0; v < 4; v++) {
                const auto at = place(j * ACROSS * 4 + x + v);
#pragma unroll
                for (int i = 0; i < M; i++)
#pragma unroll
                    for (int u = 0; u < 4; u++) store(at, i * DOWN * 4 + y + u, sum[i][u][j][v]);
            }
    }

  private:
    static __device__ __forceinline__ void add_row(float (&to)[4], float a, float4 b) {
        to[0] += a * b.x, to[1] += a * b.y, to[2] += a * b.z, to[3] += a * b.w;
    }
};

/* Round to the 10 fraction bits that tensor cores multiply (TF32), halves away from zero. */
static __device__ __forceinline__ unsigned round_to_tf32(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#else
    unsigned bits = __float_as_uint(x), magnitude = bits & 0x7fffffffu;
    return magnitude < 0x7f800000u ? (bits + 0x1000u) & ~0x1fffu : bits;
#endif
}

/* The same by tensor cores (mma.sync m16n8k8) with TF32 factors; elsewhere the same sums one by one. */
template <int R, int C> struct TensorProduct {
    static constexpr int ROWS = R, COLUMNS = C, PAD = 8;
    static constexpr int DOWN = R < 64 ? 1 : 2, ACROSS = TILE_THREADS / 32 / DOWN;
    static constexpr int M = R / DOWN / 16, N = C / ACROSS / 8;
    static_assert(M * DOWN * 16 == R && N * ACROSS * 8 == C && (R + PAD) % 32 == 8 && (C + PAD) % 32 == 8,
                  "a tile of this size, read without bank conflicts");

    float sum[M][N][4];
    int y, x, group, member; /* the warp's corner; lanes in groups of 4 */

    __device__ TensorProduct() : sum() {
        int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
        y = warp / ACROSS * M * 16, x = warp % ACROSS * N * 8;
        group = lane / 4, member = lane % 4;
    }

    __device__ __forceinline__ void add(const float *rows, const float *columns) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#pragma unroll
        for (int k = 0; k < DEPTH; k += 8) {
            unsigned a[M][4], b[N][2];
            const float *left = rows + (k + member) * (R + PAD) + y + group;
            const float *right = columns + (k + member) * (C + PAD) + x + group;
#pragma unroll
            for (int i = 0; i < M; i++) {
                a[i][0] = round_to_tf32(left[i * 16]), a[i][1] = round_to_tf32(left[i * 16 + 8]);
                a[i][2] = round_to_tf32(left[4 * (R + PAD) + i * 16]);
                a[i][3] = round_to_tf32(left[4 * (R + PAD) + i * 16 + 8]);
            }
#pragma unroll
            for (int j = 0; j < N; j++)
                b[j][0] = round_to_tf32(right[j * 8]), b[j][1] = round_to_tf32(right[4 * (C + PAD) + j * 8]);
#pragma unroll
            for (int i = 0; i < M; i++)
#pragma unroll
                for (int j = 0; j < N; j++)
                    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                        "{%8, %9}, {%0, %1, %2, %3};"
                        : "+f"(sum[i][j][0]), "+f"(sum[i][j][1]), "+f"(sum[i][j][2]), "+f"(sum[i][j][3])
                        : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]));
        }
#else
        for (int k = 0; k < DEPTH; k++)
#pragma unroll
            for (int i = 0; i < M; i++)
#pragma unroll
                for (int j = 0; j < N; j++)
#pragma unroll
                    for (int v = 0; v < 4; v++)
                        sum[i][j][v] += __uint_as_float(round_to_tf32(rows[k * (R + PAD) + row(i, v)])) *
                                        __uint_as_float(round_to_tf32(columns[k * (C + PAD) + column(j, v)]));
#endif
    }

    template <class Place, class Store> __device__ __forceinline__ void each(Place place, Store store) const {
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int v = 0; v < 2; v++) {
                const auto at = place(column(j, v));
#pragma unroll
                for (int i = 0; i < M; i++)
                    store(at, row(i, v), sum[i][j][v]), store(at, row(i, v + 2), sum[i][j][v + 2]);
            }
    }

  private:
    __device__ __forceinline__ int row(int i, int v) const { return y + i * 16 + group + v / 2 * 8; }
    __device__ __forceinline__ int column(int j, int v) const { return x + j * 8 + member * 2 + v % 2; }
};

/* Tiles of a matrix whose memory runs along the terms: value (place, k) is at first[place * step + k]. */
template <int WIDTH, int PAD> struct AlongTerms {
    const float *first;
    int64_t step, count;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int AT_ONCE = TILE_THREADS / 8;
#pragma unroll
        for (int half = 0; half < DEPTH; half += 8) {
            int term = half + (int)threadIdx.x % 8, place = (int)threadIdx.x / 8;
            const float *from = first + place * step + k + term;
#pragma unroll
            for (int i = 0; i < WIDTH; i += AT_ONCE, from += AT_ONCE * step)
                copy_or_zero(tile + term * (WIDTH + PAD) + place + i, from, k + term < end && place + i < count);
        }
    }
};

/* Of a matrix whose memory runs across the terms: value (place, k) is at first[k * step + place]. */
template <int WIDTH, int PAD> struct AcrossTerms {
    const float *first;
    int64_t step, count;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int AT_ONCE = TILE_THREADS / WIDTH;
        int term = (int)threadIdx.x / WIDTH, place = (int)threadIdx.x % WIDTH;
        const float *from = first + (k + term) * step + place;
#pragma unroll
        for (int i = 0; i < DEPTH; i += AT_ONCE, from += AT_ONCE * step)
            copy_or_zero(tile + (term + i) * (WIDTH + PAD) + place, from, k + term + i < end && place < count);
    }
};

/* Add the products of all terms from `begin` to `end` to `product`. All threads of the block must call it. */
template <class Product, class Rows, class Columns>
static __device__ __forceinline__ void multiply_tiles(Product &product, Rows &rows, Columns &columns, int begin,
                                                      int end) {
    constexpr int LEFT = DEPTH * (Product::ROWS + Product::PAD), RIGHT = DEPTH * (Product::COLUMNS + Product::PAD);
    __shared__ float4 memory[2][(LEFT + RIGHT) / 4];
    float *tiles = (float *)memory;
    int current = 0;
    if (begin < end) rows.load(tiles, begin, end), columns.load(tiles + LEFT, begin, end);
    for (int k = begin; k < end; k += DEPTH) {
        copies_finish();
        __syncthreads();
        float *now = tiles + current * (LEFT + RIGHT), *next = tiles + (current ^ 1) * (LEFT + RIGHT);
        if (k + DEPTH < end) rows.load(next, k + DEPTH, end), columns.load(next + LEFT, k + DEPTH, end);
        product.add(now, now + LEFT);
        current ^= 1;
    }
}
