"""Pointwise non-linearities."""

cdef extern from "activation_loops.h" nogil:
    void c_relu_forward "relu_forward"(const float *x, float *y, ptrdiff_t n, float slope)
    void c_relu_backward "relu_backward"(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope)
    void c_sigmoid_forward "sigmoid_forward"(const float *x, float *y, ptrdiff_t n, float beta)
    void c_sigmoid_backward "sigmoid_backward"(const float *y, const float *dy, float *dx, ptrdiff_t n)
    void c_tanh_forward "tanh_forward"(const float *x, float *y, ptrdiff_t n)
    void c_tanh_backward "tanh_backward"(const float *y, const float *dy, float *dx, ptrdiff_t n)
    void c_elu_forward "elu_forward"(const float *x, float *y, ptrdiff_t n, float alpha)
    void c_elu_backward "elu_backward"(const float *x, const float *y, const float *dy, float *dx, ptrdiff_t n,
                                       float alpha)
    void c_clip_forward "clip_forward"(const float *x, float *y, ptrdiff_t n, float low, float high)
    void c_clip_backward "clip_backward"(const float *x, const float *dy, float *dx, ptrdiff_t n, float low, float high)


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


def sigmoid_forward(const float[::1] x, float[::1] y, float beta):
    if x.shape[0] == 0:
        return
    with nogil:
        c_sigmoid_forward(&x[0], &y[0], x.shape[0], beta)


def sigmoid_backward(const float[::1] y, const float[::1] dy, float[::1] dx):
    if y.shape[0] == 0:
        return
    with nogil:
        c_sigmoid_backward(&y[0], &dy[0], &dx[0], y.shape[0])


def tanh_forward(const float[::1] x, float[::1] y):
    if x.shape[0] == 0:
        return
    with nogil:
        c_tanh_forward(&x[0], &y[0], x.shape[0])


def tanh_backward(const float[::1] y, const float[::1] dy, float[::1] dx):
    if y.shape[0] == 0:
        return
    with nogil:
        c_tanh_backward(&y[0], &dy[0], &dx[0], y.shape[0])


def elu_forward(const float[::1] x, float[::1] y, float alpha):
    if x.shape[0] == 0:
        return
    with nogil:
        c_elu_forward(&x[0], &y[0], x.shape[0], alpha)


def elu_backward(const float[::1] x, const float[::1] y, const float[::1] dy, float[::1] dx, float alpha):
    if x.shape[0] == 0:
        return
    with nogil:
        c_elu_backward(&x[0], &y[0], &dy[0], &dx[0], x.shape[0], alpha)


def clip_forward(const float[::1] x, float[::1] y, float low, float high):
    if x.shape[0] == 0:
        return
    with nogil:
        c_clip_forward(&x[0], &y[0], x.shape[0], low, high)


def clip_backward(const float[::1] x, const float[::1] dy, float[::1] dx, float low, float high):
    if x.shape[0] == 0:
        return
    with nogil:
        c_clip_backward(&x[0], &dy[0], &dx[0], x.shape[0], low, high)
