"""Parameter updates."""

cdef extern from "update_rules.h" nogil:
    ctypedef struct Update:
        float scale
        float l2
        float l1
        float rate

    void c_update_sgd "update_sgd"(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum)
    void c_update_nesterov "update_nesterov"(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum)
    void c_update_adagrad "update_adagrad"(float *w, float *g, float *h, ptrdiff_t n, Update u, float delta)
    void c_update_rmsprop "update_rmsprop"(float *w, float *g, float *h, ptrdiff_t n, Update u,
                                           float decay, float delta)
    void c_update_adadelta "update_adadelta"(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u,
                                             float decay, float delta)
    void c_update_adam "update_adam"(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u,
                                     float beta1, float beta2, float delta)
    double c_sum_squares "sum_squares"(const float *x, ptrdiff_t n)


def update_sgd(float[::1] w, float[::1] g, float[::1] h, float scale, float l2, float l1, float rate, float momentum):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_sgd(&w[0], &g[0], &h[0], w.shape[0], u, momentum)


def update_nesterov(float[::1] w, float[::1] g, float[::1] h,
                    float scale, float l2, float l1, float rate, float momentum):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_nesterov(&w[0], &g[0], &h[0], w.shape[0], u, momentum)


def update_adagrad(float[::1] w, float[::1] g, float[::1] h, float scale, float l2, float l1, float rate, float delta):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_adagrad(&w[0], &g[0], &h[0], w.shape[0], u, delta)


def update_rmsprop(float[::1] w, float[::1] g, float[::1] h,
                   float scale, float l2, float l1, float rate, float decay, float delta):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_rmsprop(&w[0], &g[0], &h[0], w.shape[0], u, decay, delta)


def update_adadelta(float[::1] w, float[::1] g, float[::1] h, float[::1] v,
                    float scale, float l2, float l1, float rate, float decay, float delta):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_adadelta(&w[0], &g[0], &h[0], &v[0], w.shape[0], u, decay, delta)


def update_adam(float[::1] w, float[::1] g, float[::1] h, float[::1] v,
                float scale, float l2, float l1, float rate, float beta1, float beta2, float delta):
    if w.shape[0] == 0:
        return
    cdef Update u = Update(scale, l2, l1, rate)
    with nogil:
        c_update_adam(&w[0], &g[0], &h[0], &v[0], w.shape[0], u, beta1, beta2, delta)


def sum_squares(const float[::1] x, double[::1] total):
    cdef double found = 0
    if x.shape[0]:
        with nogil:
            found = c_sum_squares(&x[0], x.shape[0])
    total[0] = found
