/* Single-precision matrix product through the BLAS that SciPy brings, always on the calling thread.
 *
 * Threads belong to OpenMP alone: a second pool (OpenBLAS's own) would fight with it for the cores, since the idle
 * threads of both keep spinning. So a kernel splits its work with OpenMP, and each thread calls gemm() for its share
 * between blas_hold() and blas_release(), which hold OpenBLAS at one thread.
 */
#ifndef PYDEEPLAB_BLAS_H
#define PYDEEPLAB_BLAS_H

#include <stddef.h>

typedef void (*sgemm_function)(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *,
                               float *, int *);

typedef struct {
    sgemm_function sgemm;
    int (*get_threads)(void); /* NULL where the BLAS has no such control */
    void (*set_threads)(int);
} Blas;

static inline int blas_hold(const Blas *blas)
{
    const int threads = blas->get_threads && blas->set_threads ? blas->get_threads() : 1;
    if (threads > 1)
        blas->set_threads(1);
    return threads;
}

static inline void blas_release(const Blas *blas, int threads)
{
    if (threads > 1)
        blas->set_threads(threads);
}

/* c = op(a) op(b) + beta c, row-major; op is 'N' (as it is) or 'T' (transposed); c is m x n, the sum runs over k. */
static inline void gemm(const Blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a,
                        ptrdiff_t lda, const float *b, ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc)
{
    int m_ = (int)m, n_ = (int)n, k_ = (int)k, lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
    float one = 1.0f;
    blas->sgemm(&op_b, &op_a, &n_, &m_, &k_, &one, (float *)b, &ldb_, (float *)a, &lda_, &beta, c, &ldc_);
}

/* gemm() split over OpenMP's threads along the longer side of c. */
void gemm_threads(const Blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a,
                  ptrdiff_t lda, const float *b, ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc);

#endif
