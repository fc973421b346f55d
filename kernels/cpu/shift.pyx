"""Convolution at stride 1 as one product of all taps' weights and the image, shifted and added."""

cdef extern from "epilogue.h" nogil:
    ctypedef struct Epilogue:
        const float *scale
        const float *bias
        int relu
        float slope

cdef extern from "shift.h" nogil:
    ctypedef struct ShiftAxis:
        ptrdiff_t size
        ptrdiff_t out
        ptrdiff_t pad
        ptrdiff_t rate
        ptrdiff_t taps

    ctypedef struct Shift:
        ptrdiff_t batch
        ptrdiff_t channels
        ptrdiff_t outputs
        ShiftAxis y
        ShiftAxis x

    ptrdiff_t shift_least(const Shift *problem)
    void c_forward "shift_forward"(const Shift *, const float *, const float *, Epilogue, float *, float *, ptrdiff_t)


cdef inline const float *optional(const float[::1] values) noexcept:
    if values is None:
        return NULL
    return &values[0]


cdef ShiftAxis axis(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t taps) except *:
    if rate < 1 or pad < 0 or taps < 1:
        raise ValueError("kernel and dilation must be positive, pad not negative")
    if out != size + 2 * pad - (taps - 1) * rate:
        raise ValueError(f"positions of an axis: got {out}, expected {size + 2 * pad - (taps - 1) * rate}")
    return ShiftAxis(size, out, pad, rate, taps)


def shift_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] scale, const float[::1] bias,
                  float[:, :, :, ::1] y, float[::1] work, ptrdiff_t pad_h, ptrdiff_t pad_w, ptrdiff_t dilation_h,
                  ptrdiff_t dilation_w, bint relu, float slope):
    cdef Shift problem
    cdef Epilogue epilogue = Epilogue(optional(scale), optional(bias), relu, slope)
    cdef ptrdiff_t size = work.shape[0], least
    problem.batch, problem.channels, problem.outputs = x.shape[0], x.shape[1], y.shape[1]
    problem.y = axis(x.shape[2], y.shape[2], pad_h, dilation_h, w.shape[2])
    problem.x = axis(x.shape[3], y.shape[3], pad_w, dilation_w, w.shape[3])
    least = shift_least(&problem)
    if size < least:
        raise ValueError(f"the scratch has {size} elements; at least {least} are needed")
    if y.size:
        with nogil:
            c_forward(&problem, &x[0, 0, 0, 0], &w[0, 0, 0, 0], epilogue, &y[0, 0, 0, 0], &work[0], size)
