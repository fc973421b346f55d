/* The body of gemm_threads(), for the one C file of an extension that defines it. */
#include <omp.h>

#include "blas.h"

#define GEMM_TILE ((ptrdiff_t)16)
#define GEMM_WORTH_A_THREAD ((ptrdiff_t)1 << 17) /* multiply-adds */

void gemm_threads(const Blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a,
                  ptrdiff_t lda, const float *b, ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc)
{
    const ptrdiff_t wanted = m * n / GEMM_WORTH_A_THREAD * k + m * n % GEMM_WORTH_A_THREAD * k / GEMM_WORTH_A_THREAD + 1;
    const ptrdiff_t threads = wanted < omp_get_max_threads() ? wanted : omp_get_max_threads();
    const int columns = n >= m;
    const ptrdiff_t size = columns ? n : m;
    const ptrdiff_t part = ((size + threads - 1) / threads + GEMM_TILE - 1) / GEMM_TILE * GEMM_TILE;
#pragma omp parallel for schedule(static) num_threads((int)threads) if (threads > 1)
    for (ptrdiff_t begin = 0; begin < size; begin += part) {
        const ptrdiff_t count = size - begin < part ? size - begin : part;
        if (columns)
            gemm(blas, op_a, op_b, m, count, k, a, lda, b + (op_b == 'N' ? begin : begin * ldb), ldb, beta, c + begin, ldc);
        else
            gemm(blas, op_a, op_b, count, n, k, a + (op_a == 'N' ? begin * lda : begin), lda, b, ldb, beta, c + begin * ldc,
                 ldc);
    }
}
