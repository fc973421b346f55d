#include "matrix.h"

#include <limits.h>

#include "runtime.h"
#include "tile.h"

namespace {

/* cublasSgemmStridedBatched */
typedef int (*Sgemm)(void *handle, int transpose_a, int transpose_b, int m, int n, int k, const float *alpha,
                     const float *a, int lda, long long a_step, const float *b, int ldb, long long b_step,
                     const float *beta, float *c, int ldc, long long c_step, int batch);

void *blas_handle;
Sgemm sgemm;
bool tensor_cores;

constexpr int NOT_TRANSPOSED = 0, TRANSPOSED = 1;

/* Tiles of a matrix of `places` lines from line `first` on, whose memory runs across the terms or along them. */
template <int WIDTH, int PAD, bool ACROSS> struct Side;

template <int WIDTH, int PAD> struct Side<WIDTH, PAD, true> {
    AcrossTerms<WIDTH, PAD> loader;
    __device__ Side(const float *values, int64_t first, int64_t places, int64_t)
        : loader{values + first, places, places - first} {}
};

template <int WIDTH, int PAD> struct Side<WIDTH, PAD, false> {
    AlongTerms<WIDTH, PAD> loader;
    __device__ Side(const float *values, int64_t first, int64_t places, int64_t terms)
        : loader{values + first * terms, terms, places - first} {}
};

template <class Tile, bool TRANSPOSE_A, bool TRANSPOSE_B>
__global__ void __launch_bounds__(TILE_THREADS) product_kernel(Product s, float alpha, const float *a, const float *b,
                                                               float beta, float *c) {
    int64_t number = blockIdx.x, down = (s.m + Tile::ROWS - 1) / Tile::ROWS;
    int64_t row = number % down * Tile::ROWS, across = (s.n + Tile::COLUMNS - 1) / Tile::COLUMNS;
    int64_t column = number / down % across * Tile::COLUMNS, item = number / down / across;
    a += item * s.a_step, b += item * s.b_step, c += item * s.c_step;
    Side<Tile::ROWS, Tile::PAD, TRANSPOSE_A> rows(a, row, s.m, s.k);
    Side<Tile::COLUMNS, Tile::PAD, !TRANSPOSE_B> columns(b, column, s.n, s.k);
    Tile product;
    multiply_tiles(product, rows.loader, columns.loader, 0, (int)s.k);
    product.each([&](int at) { return column + at; },
                 [&](int64_t at, int i, float sum) {
                     if (at >= s.n || row + i >= s.m) return;
                     float *to = c + (row + i) * s.n + at;
                     *to = alpha * sum + (beta == 0 ? 0 : beta * *to);
                 });
}

template <class Tile>
int own_product(const Product &s, float alpha, const float *a, const float *b, float beta, float *c) {
    int64_t blocks = divide_up(s.m, Tile::ROWS) * divide_up(s.n, Tile::COLUMNS) * s.batch;
    if (s.k > INT_MAX - DEPTH || blocks > INT_MAX) return BAD_ARGUMENTS;
    auto kernel = s.transpose_a
                      ? (s.transpose_b ? product_kernel<Tile, true, true> : product_kernel<Tile, true, false>)
                      : (s.transpose_b ? product_kernel<Tile, false, true> : product_kernel<Tile, false, false>);
    return launch_blocks(kernel, dim3((unsigned)blocks), dim3(TILE_THREADS), 0, s, alpha, a, b, beta, c);
}

} // namespace

EXPORT int blas_use(void *handle, void *sgemm_strided_batched) {
    blas_handle = handle;
    sgemm = (Sgemm)sgemm_strided_batched;
    return cudaSuccess;
}

EXPORT int math_use(int tf32) {
    tensor_cores = tf32;
#ifdef __CUDACC__
    int device;
    cudaDeviceProp properties;
    RETURN_IF_FAILED(cudaGetDevice(&device));
    RETURN_IF_FAILED(cudaGetDeviceProperties(&properties, device));
    tensor_cores = tf32 && properties.major >= 8;
#endif
    return cudaSuccess;
}

bool tensor_products() { return tensor_cores; }

/* Row-major c = a b is column-major c^T = b^T a^T. */
int matrix_product(const Product &s, float alpha, const float *a, const float *b, float beta, float *c) {
    if (!s.m || !s.n || !s.batch) return cudaSuccess;
    int64_t largest = s.m > s.n ? s.m : s.n;
    if (sgemm && s.k && largest <= INT_MAX && s.k <= INT_MAX && s.batch <= INT_MAX) {
        int lda = (int)(s.transpose_a ? s.m : s.k), ldb = (int)(s.transpose_b ? s.k : s.n);
        int status = sgemm(blas_handle, s.transpose_b ? TRANSPOSED : NOT_TRANSPOSED,
                           s.transpose_a ? TRANSPOSED : NOT_TRANSPOSED, (int)s.n, (int)s.m, (int)s.k, &alpha, b, ldb,
                           s.b_step, a, lda, s.a_step, &beta, c, (int)s.n, s.c_step, (int)s.batch);
        return status ? BLAS_FAILED + status : cudaSuccess;
    }
    if (s.m <= 64 || s.n <= 64) return own_product<PlainProduct<64, 64>>(s, alpha, a, b, beta, c);
    return own_product<PlainProduct<128, 128>>(s, alpha, a, b, beta, c);
}
