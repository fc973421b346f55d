"""Putting pooled values back where they came from."""

from libc.stdint cimport int32_t

from pydeeplab.errors import DataError

cdef extern from "unpool_loops.h" nogil:
    void c_pool_mask "pool_mask"(const int32_t *index, float *mask, ptrdiff_t n)
    ptrdiff_t c_forward "unpool_forward"(
        const float *x, const float *mask, float *y, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size)
    ptrdiff_t c_backward "unpool_backward"(
        const float *dy, const float *mask, float *dx, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size)


def pool_mask(const int32_t[::1] index, float[::1] mask):
    if mask.shape[0] == 0:
        return
    with nogil:
        c_pool_mask(&index[0], &mask[0], mask.shape[0])


cdef int complain(const float[:, :, :, ::1] mask, ptrdiff_t bad, ptrdiff_t height, ptrdiff_t width) except -1:
    if bad < 0:
        return 0
    place, w = divmod(bad, mask.shape[3])
    place, h = divmod(place, mask.shape[2])
    n, c = divmod(place, mask.shape[1])
    raise DataError(
        f"mask[{n}, {c}, {h}, {w}] is {mask[n, c, h, w]:g}, which is no position in a plane of {height} x {width}"
    )


def unpool_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] mask, float[:, :, :, ::1] y):
    cdef ptrdiff_t bad, planes = y.shape[0] * y.shape[1], count = x.shape[2] * x.shape[3], size = y.shape[2] * y.shape[3]
    if y.size == 0 and x.size == 0:
        return
    with nogil:
        bad = c_forward(&x[0, 0, 0, 0], &mask[0, 0, 0, 0], &y[0, 0, 0, 0], planes, count, size)
    complain(mask, bad, y.shape[2], y.shape[3])


def unpool_backward(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] mask, float[:, :, :, ::1] dx):
    cdef ptrdiff_t bad, planes = dx.shape[0] * dx.shape[1], count = dx.shape[2] * dx.shape[3]
    cdef ptrdiff_t size = dy.shape[2] * dy.shape[3]
    if dx.size == 0:
        return
    with nogil:
        bad = c_backward(&dy[0, 0, 0, 0], &mask[0, 0, 0, 0], &dx[0, 0, 0, 0], planes, count, size)
    complain(mask, bad, dy.shape[2], dy.shape[3])
