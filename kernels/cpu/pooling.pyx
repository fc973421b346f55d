"""Pooling over rectangular windows."""

from libc.stdint cimport int32_t

cdef extern from "pooling_loops.h" nogil:
    ctypedef struct Pooling:
        ptrdiff_t planes
        ptrdiff_t height
        ptrdiff_t width
        ptrdiff_t rows
        ptrdiff_t columns
        ptrdiff_t kernel_h
        ptrdiff_t kernel_w
        ptrdiff_t stride_h
        ptrdiff_t stride_w
        ptrdiff_t pad_h
        ptrdiff_t pad_w
        ptrdiff_t dilation_h
        ptrdiff_t dilation_w

    int c_max_forward "max_pool_forward"(const Pooling *, const float *, float *, int32_t *)
    void c_max_backward "max_pool_backward"(const Pooling *, const float *, const int32_t *, float *)
    int c_ave_forward "ave_pool_forward"(const Pooling *, const float *, float *)
    int c_ave_backward "ave_pool_backward"(const Pooling *, const float *, float *)
    void c_stochastic_forward "stochastic_pool_forward"(const Pooling *, const float *, const float *, float *, int32_t *)
    void c_stochastic_average "stochastic_pool_average"(const Pooling *, const float *, float *)


cdef Pooling pooling(const float[:, :, :, ::1] x, const float[:, :, :, ::1] y, tuple window) except *:
    cdef Pooling pool
    pool.planes = x.shape[0] * x.shape[1]
    pool.height, pool.width, pool.rows, pool.columns = x.shape[2], x.shape[3], y.shape[2], y.shape[3]
    pool.kernel_h, pool.kernel_w, pool.stride_h, pool.stride_w = window[:4]
    pool.pad_h, pool.pad_w, pool.dilation_h, pool.dilation_w = window[4:]
    if pool.height * pool.width > 2**31 - 1:
        raise ValueError(f"a plane of {pool.height} x {pool.width} has too many pixels for 32-bit positions")
    if min(window[:4] + window[6:]) < 1 or min(window[4:6]) < 0:
        raise ValueError("kernel, stride and dilation must be positive, pad not negative")
    return pool


def max_pool_forward(const float[:, :, :, ::1] x, float[:, :, :, ::1] y, int32_t[:, :, :, ::1] index, *window):
    cdef Pooling pool = pooling(x, y, window)
    cdef int status
    cdef int32_t *positions = NULL
    if y.size == 0:
        return
    if index is not None:
        positions = &index[0, 0, 0, 0]
    with nogil:
        status = c_max_forward(&pool, &x[0, 0, 0, 0], &y[0, 0, 0, 0], positions)
    if status:
        raise MemoryError()


def max_pool_backward(const float[:, :, :, ::1] dy, const int32_t[:, :, :, ::1] index, float[:, :, :, ::1] dx,
                      *window):
    cdef Pooling pool = pooling(dx, dy, window)
    if dx.size == 0:
        return
    with nogil:
        c_max_backward(&pool, &dy[0, 0, 0, 0], &index[0, 0, 0, 0], &dx[0, 0, 0, 0])


def ave_pool_forward(const float[:, :, :, ::1] x, float[:, :, :, ::1] y, *window):
    cdef Pooling pool = pooling(x, y, window)
    cdef int status
    if y.size == 0:
        return
    with nogil:
        status = c_ave_forward(&pool, &x[0, 0, 0, 0], &y[0, 0, 0, 0])
    if status:
        raise MemoryError()


def ave_pool_backward(const float[:, :, :, ::1] dy, float[:, :, :, ::1] dx, *window):
    cdef Pooling pool = pooling(dx, dy, window)
    cdef int status
    if dx.size == 0:
        return
    with nogil:
        status = c_ave_backward(&pool, &dy[0, 0, 0, 0], &dx[0, 0, 0, 0])
    if status:
        raise MemoryError()


def stochastic_pool_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] u, float[:, :, :, ::1] y,
                            int32_t[:, :, :, ::1] index, *window):
    cdef Pooling pool = pooling(x, y, window)
    if y.size == 0:
        return
    with nogil:
        c_stochastic_forward(&pool, &x[0, 0, 0, 0], &u[0, 0, 0, 0], &y[0, 0, 0, 0], &index[0, 0, 0, 0])


def stochastic_pool_average(const float[:, :, :, ::1] x, float[:, :, :, ::1] y, *window):
    cdef Pooling pool = pooling(x, y, window)
    if y.size == 0:
        return
    with nogil:
        c_stochastic_average(&pool, &x[0, 0, 0, 0], &y[0, 0, 0, 0])
