"""Arithmetic between arrays of one shape."""

from libc.stdint cimport int32_t

cdef extern from "eltwise_loops.h" nogil:
    void eltwise_add(const float *a, const float *b, float *y, ptrdiff_t n, float alpha, float beta, bint relu)
    void eltwise_multiply(const float *a, const float *b, float *y, ptrdiff_t n)
    void eltwise_ratio(const float *y, const float *x, const float *dy, float *dx, ptrdiff_t n)
    void eltwise_max(const float *a, const float *b, float *y, int32_t *winner, ptrdiff_t n, int32_t index)
    void eltwise_select(const int32_t *winner, const float *dy, float *dx, ptrdiff_t n, int32_t index)
    void eltwise_axpby(const float *x, float *y, ptrdiff_t n, float alpha, float beta)


def eltwise_add_forward(const float[::1] a, const float[::1] b, float[::1] y, float alpha, float beta, bint relu):
    if a.shape[0] == 0:
        return
    with nogil:
        eltwise_add(&a[0], &b[0], &y[0], a.shape[0], alpha, beta, relu)


def eltwise_multiply_forward(const float[::1] a, const float[::1] b, float[::1] y):
    if a.shape[0] == 0:
        return
    with nogil:
        eltwise_multiply(&a[0], &b[0], &y[0], a.shape[0])


def eltwise_ratio_backward(const float[::1] y, const float[::1] x, const float[::1] dy, float[::1] dx):
    if x.shape[0] == 0:
        return
    with nogil:
        eltwise_ratio(&y[0], &x[0], &dy[0], &dx[0], x.shape[0])


def eltwise_max_forward(const float[::1] a, const float[::1] b, float[::1] y, int32_t[::1] winner, int32_t index):
    if a.shape[0] == 0:
        return
    with nogil:
        eltwise_max(&a[0], &b[0], &y[0], &winner[0], a.shape[0], index)


def eltwise_max_backward(const int32_t[::1] winner, const float[::1] dy, float[::1] dx, int32_t index):
    if dy.shape[0] == 0:
        return
    with nogil:
        eltwise_select(&winner[0], &dy[0], &dx[0], dy.shape[0], index)


def axpby(const float[::1] x, float[::1] y, float alpha, float beta):
    if x.shape[0] == 0:
        return
    with nogil:
        eltwise_axpby(&x[0], &y[0], x.shape[0], alpha, beta)
