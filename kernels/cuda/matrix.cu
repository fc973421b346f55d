#include "matrix.h"

#include <limits.h>

#include "runtime.h"

namespace {

/* cublasSgemmStridedBatched */
typedef int (*Sgemm)(void *handle, int transpose_a, int transpose_b, int m, int n, int k, const float *alpha,
                     const float *a, int lda, long long a_step, const float *b, int ldb, long long b_step,
                     const float *beta, float *c, int ldc, long long c_step, int batch);

void *blas_handle;
Sgemm sgemm;
bool tensor_cores;

constexpr int NOT_TRANSPOSED = 0, TRANSPOSED = 1;
constexpr int TILE = 16;

__global__ void product_kernel(Product s, float alpha, const float *a, const float *b, float beta, float *c) {
    __shared__ float left[TILE][TILE + 1], right[TILE][TILE + 1];
    int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
    int64_t row = (int64_t)blockIdx.y * TILE + ty, column = (int64_t)blockIdx.x * TILE + tx;
    for (int64_t item = blockIdx.z; item < s.batch; item += gridDim.z) {
        const float *from_a = a + item * s.a_step, *from_b = b + item * s.b_step;
        float sum = 0;
        for (int64_t at = 0; at < s.k; at += TILE) {
            int64_t ka = at + tx, kb = at + ty;
            left[ty][tx] = row < s.m && ka < s.k ? from_a[s.transpose_a ? ka * s.m + row : row * s.k + ka] : 0;
            right[ty][tx] =
                column < s.n && kb < s.k ? from_b[s.transpose_b ? column * s.k + kb : kb * s.n + column] : 0;
            __syncthreads();
            for (int i = 0; i < TILE; i++) sum += left[ty][i] * right[i][tx];
            __syncthreads();
        }
        if (row < s.m && column < s.n) {
            float *to = c + item * s.c_step + row * s.n + column;
            *to = alpha * sum + (beta == 0 ? 0 : beta * *to);
        }
    }
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
    dim3 grid((unsigned)divide_up(s.n, TILE), (unsigned)divide_up(s.m, TILE),
              (unsigned)(s.batch < 1024 ? s.batch : 1024));
    return launch_blocks(product_kernel, grid, dim3(TILE, TILE), 0, s, alpha, a, b, beta, c);
}
