"""Softmax over channels, alone and with the multinomial logistic loss."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

cdef extern from "softmax_loops.h" nogil:
    ctypedef struct loss_sums:
        double loss
        double weight
        ptrdiff_t used
        ptrdiff_t first_bad

    ptrdiff_t softmax_blocks(ptrdiff_t n, ptrdiff_t s)
    void c_softmax_forward "softmax_forward"(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s)
    void c_softmax_backward "softmax_backward"(
        const float *y, const float *dy, float *dx, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s)
    loss_sums c_softmax_loss_forward "softmax_loss_forward"(
        const float *x, const float *label, const float *weight, const int32_t *ignore, float *p,
        ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, loss_sums *blocks)
    void c_softmax_loss_backward "softmax_loss_backward"(
        const float *p, const float *label, const float *weight, const int32_t *ignore, float *dx,
        ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, float scale)


cdef const int32_t *first(const int32_t[::1] values) noexcept nogil:
    if values.shape[0] == 0:
        return NULL
    return &values[0]


cdef const float *first_weight(const float[::1] values) noexcept:
    if values is None:
        return NULL
    return &values[0]


def softmax_forward(const float[:, :, ::1] x, float[:, :, ::1] y):
    if x.shape[0] * x.shape[1] * x.shape[2] == 0:
        return
    with nogil:
        c_softmax_forward(&x[0, 0, 0], &y[0, 0, 0], x.shape[0], x.shape[1], x.shape[2])


def softmax_backward(const float[:, :, ::1] y, const float[:, :, ::1] dy, float[:, :, ::1] dx):
    if y.shape[0] * y.shape[1] * y.shape[2] == 0:
        return
    with nogil:
        c_softmax_backward(&y[0, 0, 0], &dy[0, 0, 0], &dx[0, 0, 0], y.shape[0], y.shape[1], y.shape[2])


def softmax_loss_forward(const float[:, :, ::1] x, const float[:, ::1] label, const float[::1] weight,
                         const int32_t[::1] ignore, float[:, :, ::1] p, double[::1] sums):
    cdef loss_sums total
    sums[0], sums[1], sums[2], sums[3] = 0, 0, 0, -1
    if x.shape[0] * x.shape[1] * x.shape[2] == 0:
        return
    cdef const float *weights = first_weight(weight)
    cdef loss_sums *blocks = <loss_sums *>malloc(softmax_blocks(x.shape[0], x.shape[2]) * sizeof(loss_sums))
    if blocks == NULL:
        raise MemoryError()
    with nogil:
        total = c_softmax_loss_forward(&x[0, 0, 0], &label[0, 0], weights, first(ignore), &p[0, 0, 0],
                                       x.shape[0], x.shape[1], x.shape[2], ignore.shape[0], blocks)
        free(blocks)
    sums[0], sums[1], sums[2], sums[3] = total.loss, total.weight, total.used, total.first_bad


def softmax_loss_backward(const float[:, :, ::1] p, const float[:, ::1] label, const float[::1] weight,
                          const int32_t[::1] ignore, float[:, :, ::1] dx, float scale):
    if p.shape[0] * p.shape[1] * p.shape[2] == 0:
        return
    cdef const float *weights = first_weight(weight)
    with nogil:
        c_softmax_loss_backward(&p[0, 0, 0], &label[0, 0], weights, first(ignore), &dx[0, 0, 0],
                                p.shape[0], p.shape[1], p.shape[2], ignore.shape[0], scale)
