/* The fully connected layer. */
#include "matrix.h"

__global__ static void add_row_kernel(float *y, const float *bias, int64_t columns, int64_t n) {
    EACH(i, n) y[i] += bias[i % columns];
}

int inner_product_forward(const float *x, const float *w, const float *bias, float *y, bool transpose, int64_t M,
                          int64_t K, int64_t A, int64_t B, int64_t N) {
    if (A * B != K * N) return BAD_ARGUMENTS;
    RETURN_IF_FAILED(matrix_product({false, !transpose, M, N, K, 1, 0, 0, 0}, 1, x, w, 0, y));
    return bias ? launch_each(add_row_kernel, M * N, y, bias, N, M * N) : (int)cudaSuccess;
}

int inner_product_backward_data(const float *dy, const float *w, float *dx, bool transpose, int64_t M, int64_t N,
                                int64_t A, int64_t B, int64_t K) {
    if (A * B != K * N) return BAD_ARGUMENTS;
    return matrix_product({false, transpose, M, K, N, 1, 0, 0, 0}, 1, dy, w, 0, dx);
}

int inner_product_backward_weights(const float *x, const float *dy, float *dw, bool transpose, int64_t M, int64_t K,
                                   int64_t N, int64_t A, int64_t B) {
    if (A * B != K * N) return BAD_ARGUMENTS;
    if (transpose) return matrix_product({true, false, K, N, M, 1, 0, 0, 0}, 1, x, dy, 1, dw);
    return matrix_product({true, false, N, K, M, 1, 0, 0, 0}, 1, dy, x, 1, dw);
}
