"""Resizing with aligned corners, of a window of each plane."""

cdef extern from "interp_resize.h" nogil:
    ctypedef struct interp_shape:
        ptrdiff_t p
        ptrdiff_t h
        ptrdiff_t w
        ptrdiff_t q
        ptrdiff_t r
        ptrdiff_t top
        ptrdiff_t left
        ptrdiff_t height
        ptrdiff_t width

    int c_interp_forward "interp_forward"(const float *x, float *y, const interp_shape *shape)
    int c_interp_backward "interp_backward"(const float *dy, float *dx, const interp_shape *shape)
    int c_interp_nearest_forward "interp_nearest_forward"(const float *x, float *y, const interp_shape *shape)


cdef bint describe(const float[:, :, ::1] source, const float[:, :, ::1] target, ptrdiff_t top, ptrdiff_t left,
                   ptrdiff_t height, ptrdiff_t width, interp_shape *shape) except -1:
    """Fill in the shape and say whether there is anything to do."""
    if min(top, left, height, width) < 0 or top + height > source.shape[1] or left + width > source.shape[2]:
        raise ValueError("the window lies outside the planes")
    shape.p, shape.h, shape.w = source.shape[0], source.shape[1], source.shape[2]
    shape.q, shape.r = target.shape[1], target.shape[2]
    shape.top, shape.left, shape.height, shape.width = top, left, height, width
    return shape.p > 0 and shape.height > 0 and shape.width > 0 and shape.q > 0 and shape.r > 0


def interp_forward(const float[:, :, ::1] x, float[:, :, ::1] y, ptrdiff_t top, ptrdiff_t left, ptrdiff_t height,
                   ptrdiff_t width):
    cdef interp_shape shape
    cdef int failed
    if describe(x, y, top, left, height, width, &shape):
        with nogil:
            failed = c_interp_forward(&x[0, 0, 0], &y[0, 0, 0], &shape)
        if failed:
            raise MemoryError()


def interp_backward(const float[:, :, ::1] dy, float[:, :, ::1] dx, ptrdiff_t top, ptrdiff_t left, ptrdiff_t height,
                    ptrdiff_t width):
    cdef interp_shape shape
    cdef int failed
    if describe(dx, dy, top, left, height, width, &shape):
        with nogil:
            failed = c_interp_backward(&dy[0, 0, 0], &dx[0, 0, 0], &shape)
        if failed:
            raise MemoryError()


def interp_nearest_forward(const float[:, :, ::1] x, float[:, :, ::1] y, ptrdiff_t top, ptrdiff_t left, ptrdiff_t height,
                           ptrdiff_t width):
    cdef interp_shape shape
    cdef int failed
    if describe(x, y, top, left, height, width, &shape):
        with nogil:
            failed = c_interp_nearest_forward(&x[0, 0, 0], &y[0, 0, 0], &shape)
        if failed:
            raise MemoryError()
