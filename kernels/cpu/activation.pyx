"""Pointwise non-linearities."""

cdef extern from "activation_loops.h" nogil:
    void c_relu_forward "relu_forward"(const float *x, float *y, ptrdiff_t n, float slope)
    void c_relu_backward "relu_backward"(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope)


def relu_forward(const float[::1] x, float[::1] y, float slope):
    if x.shape[0] == 0:
        return
    with nogil:
        c_relu_forward(&x[0], &y[0], x.shape[0], slope)


def relu_backward(const float[::1] x, const float[::1] dy, float[::1] dx, float slope):
    if x.shape[0] == 0:
        return
    with nogil:
        c_relu_backward(&x[0], &dy[0], &dx[0], x.shape[0], slope)
