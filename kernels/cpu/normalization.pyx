"""Local response normalisation and L2 normalisation."""

cdef extern from "normalization_lrn.h" nogil:
    struct lrn:
        ptrdiff_t size
        float factor
        float beta
        float k

    void lrn_across(const float *x, float *y, float *s, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, lrn p)
    void lrn_across_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx,
                             ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, lrn p)
    int lrn_within(const float *x, float *y, float *s, ptrdiff_t planes, ptrdiff_t height, ptrdiff_t width, lrn p)
    int lrn_within_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx,
                            ptrdiff_t planes, ptrdiff_t height, ptrdiff_t width, lrn p)

cdef extern from "normalization_l2.h" nogil:
    void l2_normalize(const float *x, float *y, float *norm, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                      double eps)
    void l2_normalize_gradient(const float *x, const float *norm, const float *dy, float *dx, ptrdiff_t outer,
                               ptrdiff_t channels, ptrdiff_t inner)


cdef int check(int status) except -1:
    if status:
        raise MemoryError("no memory for local response normalisation")
    return 0


def lrn_across_forward(const float[:, :, ::1] x, float[:, :, ::1] y, float[:, :, ::1] s, Py_ssize_t size, double alpha,
                       float beta, float k):
    cdef lrn p = lrn(size, <float>(alpha / size), beta, k)
    if x.size == 0:
        return
    with nogil:
        lrn_across(&x[0, 0, 0], &y[0, 0, 0], &s[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], p)


def lrn_across_backward(const float[:, :, ::1] x, const float[:, :, ::1] y, const float[:, :, ::1] s,
                        const float[:, :, ::1] dy, float[:, :, ::1] dx, Py_ssize_t size, double alpha, float beta):
    cdef lrn p = lrn(size, <float>(alpha / size), beta, 0)
    if x.size == 0:
        return
    with nogil:
        lrn_across_gradient(&x[0, 0, 0], &y[0, 0, 0], &s[0, 0, 0], &dy[0, 0, 0], &dx[0, 0, 0], x.shape[0], x.shape[1],
                            x.shape[2], p)


def lrn_within_forward(const float[:, :, ::1] x, float[:, :, ::1] y, float[:, :, ::1] s, Py_ssize_t size, double alpha,
                       float beta, float k):
    cdef lrn p = lrn(size, <float>(alpha / (size * size)), beta, k)
    cdef int status
    if x.size == 0:
        return
    with nogil:
        status = lrn_within(&x[0, 0, 0], &y[0, 0, 0], &s[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], p)
    check(status)


def lrn_within_backward(const float[:, :, ::1] x, const float[:, :, ::1] y, const float[:, :, ::1] s,
                        const float[:, :, ::1] dy, float[:, :, ::1] dx, Py_ssize_t size, double alpha, float beta):
    cdef lrn p = lrn(size, <float>(alpha / (size * size)), beta, 0)
    cdef int status
    if x.size == 0:
        return
    with nogil:
        status = lrn_within_gradient(&x[0, 0, 0], &y[0, 0, 0], &s[0, 0, 0], &dy[0, 0, 0], &dx[0, 0, 0], x.shape[0],
                                     x.shape[1], x.shape[2], p)
    check(status)


def l2_normalize_forward(const float[:, :, ::1] x, float[:, :, ::1] y, float[:, ::1] norm, double eps):
    if x.size == 0:
        return
    with nogil:
        l2_normalize(&x[0, 0, 0], &y[0, 0, 0], &norm[0, 0], x.shape[0], x.shape[1], x.shape[2], eps)


def l2_normalize_backward(const float[:, :, ::1] x, const float[:, ::1] norm, const float[:, :, ::1] dy,
                          float[:, :, ::1] dx):
    if x.size == 0:
        return
    with nogil:
        l2_normalize_gradient(&x[0, 0, 0], &norm[0, 0], &dy[0, 0, 0], &dx[0, 0, 0], x.shape[0], x.shape[1], x.shape[2])
