"""Convolution with kernels of 3 x 3 taps by Winograd's algorithm."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc

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

    ctypedef struct Batch:
        Winograd problem
        const float *images
        float *maps

    Axis axis_of(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t m)
    ptrdiff_t winograd_least(Batch *batches, ptrdiff_t count)
    ptrdiff_t winograd_gradient_least(const Winograd *problem)
    void c_forward "winograd_forward"(Batch *, ptrdiff_t, const float *, int, Epilogue, float *, ptrdiff_t)
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


cdef int run_forward(list xs, const float[:, :, :, ::1] w, int adjoint, Epilogue epilogue, list ys, float[::1] work,
                     ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h,
                     ptrdiff_t dilation_w) except -1:
    """Batches of images of different sizes at once; those that have no pixels are left out."""
    cdef const float[:, :, :, ::1] x
    cdef float[:, :, :, ::1] y
    cdef ptrdiff_t count = 0, size = work.shape[0]
    cdef Batch *batches = <Batch *>PyMem_Malloc(len(xs) * sizeof(Batch))
    if batches is NULL:
        raise MemoryError
    try:
        for x, y in zip(xs, ys):
            batches[count].problem = between(x, y, w, tile, pad_h, pad_w, dilation_h, dilation_w)
            if y.size:
                batches[count].images, batches[count].maps = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
                count += 1
        if count:
            roomy(size, winograd_least(batches, count))
            with nogil:
                c_forward(batches, count, &w[0, 0, 0, 0], adjoint, epilogue, &work[0], size)
    finally:
        PyMem_Free(batches)
    return 0


def winograd_forward(xs, const float[:, :, :, ::1] w, const float[::1] scale, const float[::1] bias, ys, float[::1] work,
                     ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h, ptrdiff_t dilation_w, bint relu,
                     float slope):
    cdef Epilogue epilogue = Epilogue(optional(scale), optional(bias), relu, slope)
    run_forward(list(xs), w, 0, epilogue, list(ys), work, tile, pad_h, pad_w, dilation_h, dilation_w)


def winograd_backward_data(dy, const float[:, :, :, ::1] w, const float[::1] bias, dx, float[::1] work, ptrdiff_t tile,
                           ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h, ptrdiff_t dilation_w):
    cdef Epilogue epilogue = Epilogue(NULL, optional(bias), 0, 0)
    run_forward([dy], w, 1, epilogue, [dx], work, tile, 2 * dilation_h - pad_h, 2 * dilation_w - pad_w, dilation_h,
                dilation_w)


def winograd_backward_weights(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw, float[::1] work,
                              ptrdiff_t tile, ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h, ptrdiff_t dilation_w):
    cdef Winograd problem = between(x, dy, dw, tile, pad_h, pad_w, dilation_h, dilation_w)
    cdef ptrdiff_t size = work.shape[0]
    roomy(size, winograd_gradient_least(&problem))
    if dy.size:
        with nogil:
            c_backward_weights(&problem, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0], &work[0], size)
