"""Matrix products: the fully connected layer."""

include "blas.pxi"

cdef extern from "blas.h" nogil:
    void gemm_threads(const Blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a,
                      ptrdiff_t lda, const float *b, ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc)


cdef int fits(const float[:, ::1] w, ptrdiff_t n, ptrdiff_t k, bint transpose) except -1:
    if w.shape[0] != (k if transpose else n) or w.shape[1] != (n if transpose else k):
        raise ValueError(f"weights of shape {w.shape[0]} x {w.shape[1]} do not fit {k} inputs and {n} outputs")
    return 0


def inner_product_forward(const float[:, ::1] x, const float[:, ::1] w, const float[::1] bias, float[:, ::1] y,
                          bint transpose):
    cdef ptrdiff_t m = y.shape[0], n = y.shape[1], k = x.shape[1], i
    cdef float beta = 0 if bias is None else 1
    cdef int threads
    fits(w, n, k, transpose)
    if y.size == 0:
        return
    if bias is not None:
        for i in range(m):
            y[i, :] = bias
    with nogil:
        threads = blas_hold(&blas)
        gemm_threads(&blas, b'N', b'N' if transpose else b'T', m, n, k, &x[0, 0], k, &w[0, 0], w.shape[1], beta, &y[0, 0], n)
        blas_release(&blas, threads)


def inner_product_backward_data(const float[:, ::1] dy, const float[:, ::1] w, float[:, ::1] dx, bint transpose):
    cdef ptrdiff_t m = dy.shape[0], n = dy.shape[1], k = dx.shape[1]
    cdef int threads
    fits(w, n, k, transpose)
    if dx.size == 0:
        return
    with nogil:
        threads = blas_hold(&blas)
        gemm_threads(&blas, b'N', b'T' if transpose else b'N', m, k, n, &dy[0, 0], n, &w[0, 0], w.shape[1], 0, &dx[0, 0], k)
        blas_release(&blas, threads)


def inner_product_backward_weights(const float[:, ::1] x, const float[:, ::1] dy, float[:, ::1] dw, bint transpose):
    cdef ptrdiff_t m = dy.shape[0], n = dy.shape[1], k = x.shape[1]
    cdef int threads
    fits(dw, n, k, transpose)
    if m == 0:
        return
    with nogil:
        threads = blas_hold(&blas)
        if transpose:
            gemm_threads(&blas, b'T', b'N', k, n, m, &x[0, 0], k, &dy[0, 0], n, 1, &dw[0, 0], n)
        else:
            gemm_threads(&blas, b'T', b'N', n, k, m, &dy[0, 0], n, &x[0, 0], k, 1, &dw[0, 0], k)
        blas_release(&blas, threads)
