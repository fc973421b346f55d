/* The body of gemm_threads(), for the one C file of an extension that defines it. */
#include <omp.h>

#include "blas.h"

#define GEMM_TILE ((ptrdiff_t)16)
#define GEMM_WORTH_A_THREAD 131072.0 /* multiply-adds */

void gemm_threads(const Blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a,
                  ptrdiff_t lda, const float *b, ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc)
{
    const int columns = n >= m;
    const ptrdiff_t size = columns ? n : m;
    const double worth = (double)m * (double)n * (double)k / GEMM_WORTH_A_THREAD;
    const ptrdiff_t most = omp_get_max_threads(), parts = worth > most ? most : (ptrdiff_t)worth + 1;
    const ptrdiff_t part = ((size + parts - 1) / parts + GEMM_TILE - 1) / GEMM_TILE * GEMM_TILE;
    /* Always the whole team or none: a team of another size makes OpenMP end and start threads. */
#pragma omp parallel for schedule(static) if (part < size)
    for (ptrdiff_t begin = 0; begin < size; begin += part) {
        const ptrdiff_t count = size - begin < part ? size - begin : part;
        if (columns)
            gemm(blas, op_a, op_b, m, count, k, a, lda, b + (op_b == 'N' ? begin : begin * ldb), ldb, beta, c + begin, ldc);
        else
            gemm(blas, op_a, op_b, count, n, k, a + (op_a == 'N' ? begin * lda : begin), lda, b, ldb, beta, c + begin * ldc,
                 ldc);
    }
}
