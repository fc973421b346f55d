"""Maps and sums with one value per channel of x[N, C, n]."""

from libc.math cimport sqrt
from libc.stdlib cimport free, malloc

cdef extern from "channel_maps.h" nogil:
    void channel_affine(const float *x, float *y, const float *scale, const float *shift, ptrdiff_t outer,
                        ptrdiff_t channels, ptrdiff_t inner, float slope, bint relu)
    void channel_normalize(const float *x, const float *mean, const float *factor, const float *shift, float *y,
                           ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner)
    void channel_normalize_gradient(const float *x, const float *dy, const float *mean, const float *a, const float *b,
                                    const float *factor, float *dx, ptrdiff_t outer, ptrdiff_t channels,
                                    ptrdiff_t inner)
    void channel_prelu(const float *x, const float *slope, float *y, ptrdiff_t outer, ptrdiff_t channels,
                       ptrdiff_t inner)
    void channel_prelu_gradient(const float *x, const float *dy, const float *slope, float *dx, ptrdiff_t outer,
                                ptrdiff_t channels, ptrdiff_t inner)

cdef extern from "channel_reduce.h" nogil:
    int channel_sum(const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, double *sums)
    int channel_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                    double *sums)
    int channel_negative_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                             double *sums)
    int channel_centred_dot(const float *x, const float *dy, const float *mean, ptrdiff_t outer, ptrdiff_t channels,
                            ptrdiff_t inner, double *sums)
    int channel_moments(const float *x, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, float *mean,
                        float *variance, double *sums)


cdef class Sums:
    """Two doubles per channel."""
    cdef double *values

    def __cinit__(self, Py_ssize_t channels):
        self.values = <double *>malloc(2 * channels * sizeof(double))
        if self.values == NULL:
            raise MemoryError("no memory for sums over channels")

    def __dealloc__(self):
        free(self.values)


cdef int check(int status) except -1:
    if status:
        raise MemoryError("no memory for sums over channels")
    return 0


cdef void add_sums(const double *sums, float[::1] target, int which, const double *factor) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(target.shape[0]):
        target[c] += <float>(sums[2 * c + which] * (factor[c] if factor != NULL else 1))


def channel_affine_forward(const float[:, :, ::1] x, float[:, :, ::1] y, const float[::1] scale,
                           const float[::1] shift, float slope, bint relu):
    cdef const float *s = NULL
    cdef const float *t = NULL
    if x.size == 0:
        return
    if scale is not None:
        s = &scale[0]
    if shift is not None:
        t = &shift[0]
    with nogil:
        channel_affine(&x[0, 0, 0], &y[0, 0, 0], s, t, x.shape[0], x.shape[1], x.shape[2], slope, relu)


def channel_scale_gradient(const float[:, :, ::1] x, const float[:, :, ::1] dy, float[::1] dscale):
    if x.size == 0:
        return
    cdef Sums sums = Sums(x.shape[1])
    cdef int status
    with nogil:
        status = channel_dot(&x[0, 0, 0], &dy[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], sums.values)
    check(status)
    add_sums(sums.values, dscale, 0, NULL)


def channel_bias_gradient(const float[:, :, ::1] dy, float[::1] dshift):
    if dy.size == 0:
        return
    cdef Sums sums = Sums(dy.shape[1])
    cdef int status
    with nogil:
        status = channel_sum(&dy[0, 0, 0], dy.shape[0], dy.shape[1], dy.shape[2], sums.values)
    check(status)
    add_sums(sums.values, dshift, 0, NULL)


def channel_statistics(const float[:, :, ::1] x, float[::1] mean, float[::1] variance):
    if x.size == 0:
        mean[:] = 0
        variance[:] = 0
        return
    cdef Sums sums = Sums(x.shape[1])
    cdef int status
    with nogil:
        status = channel_moments(&x[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], &mean[0], &variance[0], sums.values)
    check(status)


def channel_normalize_forward(const float[:, :, ::1] x, const float[::1] mean, const float[::1] variance,
                              const float[::1] scale, const float[::1] shift, float[:, :, ::1] y, float eps):
    if x.size == 0:
        return
    cdef Sums room = Sums(x.shape[1])
    cdef float *factor = <float *>room.values
    cdef const float *t = NULL
    cdef Py_ssize_t c
    for c in range(x.shape[1]):
        factor[c] = <float>((scale[c] if scale is not None else 1.0) / sqrt(<double>variance[c] + eps))
    if shift is not None:
        t = &shift[0]
    with nogil:
        channel_normalize(&x[0, 0, 0], &mean[0], factor, t, &y[0, 0, 0], x.shape[0], x.shape[1], x.shape[2])


def channel_normalize_backward(const float[:, :, ::1] x, const float[:, :, ::1] dy, const float[::1] mean,
                               const float[::1] variance, const float[::1] scale, float[:, :, ::1] dx,
                               float[::1] dscale, float[::1] dshift, float eps, bint batch):
    cdef Py_ssize_t channels = x.shape[1], c
    if x.size == 0:
        return
    cdef Sums sums = Sums(channels), inverse = Sums(channels), room = Sums(channels)
    cdef int status = 0
    cdef double count = <double>(x.shape[0] * x.shape[2])
    cdef bint reduce = dscale is not None or dshift is not None or (batch and dx is not None)
    for c in range(channels):
        inverse.values[c] = 1 / sqrt(<double>variance[c] + eps)
    if reduce:
        with nogil:
            status = channel_centred_dot(&x[0, 0, 0], &dy[0, 0, 0], &mean[0], x.shape[0], channels, x.shape[2],
                                         sums.values)
        check(status)
    if dscale is not None:
        add_sums(sums.values, dscale, 1, inverse.values)
    if dshift is not None:
        add_sums(sums.values, dshift, 0, NULL)
    if dx is None:
        return
    cdef float *a = <float *>room.values
    cdef float *b = a + channels
    cdef float *factor = b + channels
    for c in range(channels):
        factor[c] = <float>(inverse.values[c] * (scale[c] if scale is not None else 1.0))
        a[c] = <float>(sums.values[2 * c] / count) if batch else 0
        b[c] = <float>(sums.values[2 * c + 1] / count * inverse.values[c] * inverse.values[c]) if batch else 0
    with nogil:
        if batch:
            channel_normalize_gradient(&x[0, 0, 0], &dy[0, 0, 0], &mean[0], a, b, factor, &dx[0, 0, 0], x.shape[0],
                                       channels, x.shape[2])
        else:
            channel_affine(&dy[0, 0, 0], &dx[0, 0, 0], factor, NULL, x.shape[0], channels, x.shape[2], 0, False)


def prelu_forward(const float[:, :, ::1] x, const float[::1] slope, float[:, :, ::1] y):
    if x.size == 0:
        return
    with nogil:
        channel_prelu(&x[0, 0, 0], &slope[0], &y[0, 0, 0], x.shape[0], x.shape[1], x.shape[2])


def prelu_backward(const float[:, :, ::1] x, const float[:, :, ::1] dy, const float[::1] slope, float[:, :, ::1] dx):
    if x.size == 0:
        return
    with nogil:
        channel_prelu_gradient(&x[0, 0, 0], &dy[0, 0, 0], &slope[0], &dx[0, 0, 0], x.shape[0], x.shape[1], x.shape[2])


def prelu_slope_gradient(const float[:, :, ::1] x, const float[:, :, ::1] dy, float[::1] dslope):
    if x.size == 0:
        return
    cdef Sums sums = Sums(x.shape[1])
    cdef int status
    with nogil:
        status = channel_negative_dot(&x[0, 0, 0], &dy[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], sums.values)
    check(status)
    add_sums(sums.values, dslope, 0, NULL)
