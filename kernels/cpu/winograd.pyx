"""Convolution with kernels of 3 x 3 taps by Winograd's algorithm."""

cdef extern from "epilogue.h" nogil:
    ctypedef struct Epilogue:
        const float *scale
        const float *bias
        int relu
        float slope

cdef extern from "winograd.h" nogil:
    ctypedef struct Axis:
        ptrdiff_t size
        ptrdiff_t out
        ptrdiff_t pad
        ptrdiff_t rate
        ptrdiff_t tiles

    ctypedef struct Winograd:
        ptrdiff_t batch
        ptrdiff_t channels
        ptrdiff_t outputs
        Axis y
        Axis x

    Axis axis_of(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t m)
    ptrdiff_t winograd_least(const Winograd *problem)
    ptrdiff_t winograd_gradient_least(const Winograd *problem)
    void c_forward "winograd_forward"(
        const Winograd *, const float *, const float *, int, Epilogue, float *, float *, ptrdiff_t)
    void c_backward_weights "winograd_backward_weights"(
        const Winograd *, const float *, const float *, float *, float *, ptrdiff_t)


cdef inline const float *optional(const float[::1] values) noexcept:
    if values is None:
        return NULL
    return &values[0]


cdef Axis axis(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t tile) except *:
    if tile not in (2, 3, 4, 6):
        raise ValueError(f"a tile is 2, 3, 4 or 6 wide, got {tile}")
    if rate < 1 or pad < 0:
        raise ValueError("the dilation must be positive, pad not negative")
    if out != size + 2 * pad - 2 * rate:
        raise ValueError(f"positions of an axis: got {out}, expected {size + 2 * pad - 2 * rate}")
    return axis_of(size, out, pad, rate, tile)


cdef Winograd between(const float[:, :, :, ::1] x, const float[:, :, :, ::1] y, const float[:, :, :, ::1] w, ptrdiff_t tile,
                      ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h, ptrdiff_t dilation_w) except *:
    """The convolution that reads x and makes y."""
    cdef Winograd problem
    if w.shape[2] != 3 or w.shape[3] != 3:
        raise ValueError(f"kernels must be of 3 x 3 taps, got {w.shape[2]} x {w.shape[3]}")
    problem.batch, problem.channels, problem.outputs = x.shape[0], x.shape[1], y.shape[1]
    problem.y = axis(x.shape[2], y.shape[2], pad_h, dilation_h, tile)
    problem.x = axis(x.shape[3], y.shape[3], pad_w, dilation_w, tile)
    return problem


cdef int roomy(ptrdiff_t got, ptrdiff_t wanted) except -1:
    if got < wanted:
        raise ValueError(f"the scratch has {got} elements; at least {wanted} are needed")
    return 0


def winograd_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] scale, const float[::1] bias,
                     float[:, :, :, ::1] y, float[::1] work, ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w,
                     ptrdiff_t dilation_h, ptrdiff_t dilation_w, bint relu, float slope):
    cdef Winograd problem = between(x, y, w, tile, pad_h, pad_w, dilation_h, dilation_w)
    cdef Epilogue epilogue = Epilogue(optional(scale), optional(bias), relu, slope)
    cdef ptrdiff_t size = work.shape[0]
    roomy(size, winograd_least(&problem))
    if y.size:
        with nogil:
            c_forward(&problem, &x[0, 0, 0, 0], &w[0, 0, 0, 0], 0, epilogue, &y[0, 0, 0, 0], &work[0], size)


def winograd_backward_data(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w, const float[::1] bias,
                           float[:, :, :, ::1] dx, float[::1] work, ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w,
                           ptrdiff_t dilation_h, ptrdiff_t dilation_w):
    cdef Winograd problem = between(dy, dx, w, tile, 2 * dilation_h - pad_h, 2 * dilation_w - pad_w, dilation_h, dilation_w)
    cdef Epilogue epilogue = Epilogue(NULL, optional(bias), 0, 0)
    cdef ptrdiff_t size = work.shape[0]
    roomy(size, winograd_least(&problem))
    if dx.size:
        with nogil:
            c_forward(&problem, &dy[0, 0, 0, 0], &w[0, 0, 0, 0], 1, epilogue, &dx[0, 0, 0, 0], &work[0], size)


def winograd_backward_weights(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw, float[::1] work,
                              ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h, ptrdiff_t dilation_w):
    cdef Winograd problem = between(x, dy, dw, tile, pad_h, pad_w, dilation_h, dilation_w)
    cdef ptrdiff_t size = work.shape[0]
    roomy(size, winograd_gradient_least(&problem))
    if dy.size:
        with nogil:
            c_backward_weights(&problem, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0], &work[0], size)
