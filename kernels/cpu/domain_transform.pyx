"""The domain transform: a recursive edge-aware smoothing, and its gradient."""

from libc.stdlib cimport free, malloc

cdef extern from "domain_transform_passes.h" nogil:
    ctypedef struct transform_shape:
        ptrdiff_t n
        ptrdiff_t c
        ptrdiff_t h
        ptrdiff_t w
        ptrdiff_t iterations
        float spatial_sigma
        float range_sigma
        float min_weight
        int clamp

    ptrdiff_t forward_scratch(const transform_shape *shape)
    ptrdiff_t backward_scratch(const transform_shape *shape)
    void c_forward "domain_transform_forward"(
        const float *x, const float *g, const float *size, float *y, const transform_shape *shape, float *scratch)
    void c_backward "domain_transform_backward"(
        const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
        const transform_shape *shape, float *scratch)


cdef int check_sizes(const float[:, ::1] size, transform_shape shape) except -1:
    cdef ptrdiff_t n
    for n in range(size.shape[0]):
        if not (0 <= size[n, 0] < shape.h + 1 and 0 <= size[n, 1] < shape.w + 1):
            raise ValueError("an item's real size does not fit into the planes")
    return 0


def domain_transform_forward(const float[:, :, :, ::1] x, const float[:, :, ::1] g, const float[:, ::1] size,
                             float[:, :, :, ::1] y, ptrdiff_t iterations, float spatial_sigma, float range_sigma,
                             float min_weight, bint clamp):
    cdef transform_shape shape = transform_shape(x.shape[0], x.shape[1], x.shape[2], x.shape[3], iterations,
                                                 spatial_sigma, range_sigma, min_weight, clamp)
    if shape.n * shape.c * shape.h * shape.w == 0:
        return
    check_sizes(size, shape)
    cdef float *scratch = <float *>malloc(forward_scratch(&shape) * sizeof(float))
    if scratch == NULL:
        raise MemoryError()
    with nogil:
        c_forward(&x[0, 0, 0, 0], &g[0, 0, 0], &size[0, 0], &y[0, 0, 0, 0], &shape, scratch)
        free(scratch)


def domain_transform_backward(const float[:, :, :, ::1] x, const float[:, :, ::1] g, const float[:, ::1] size,
                              const float[:, :, :, ::1] dy, float[:, :, :, ::1] dx, float[:, :, ::1] dg,
                              ptrdiff_t iterations, float spatial_sigma, float range_sigma, float min_weight):
    cdef transform_shape shape = transform_shape(x.shape[0], x.shape[1], x.shape[2], x.shape[3], iterations,
                                                 spatial_sigma, range_sigma, min_weight, True)
    if shape.n * shape.c * shape.h * shape.w == 0:
        dg[...] = 0
        return
    check_sizes(size, shape)
    cdef float *scratch = <float *>malloc(backward_scratch(&shape) * sizeof(float))
    if scratch == NULL:
        raise MemoryError()
    with nogil:
        c_backward(&x[0, 0, 0, 0], &g[0, 0, 0], &size[0, 0], &dy[0, 0, 0, 0], &dx[0, 0, 0, 0], &dg[0, 0, 0], &shape, scratch)
        free(scratch)
