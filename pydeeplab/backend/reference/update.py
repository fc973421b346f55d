"""Parameter updates."""

import numpy as np


def _decayed(w, g, scale, l2, l1):
    real = w.dtype.type
    return real(scale) * g + real(l2) * w + real(l1) * np.sign(w)


def _apply(w, g, step):
    g[...] = step
    w -= g


def _rest(w, share):
    """1 - share, as computed in the arrays' own type."""
    return w.dtype.type(1) - w.dtype.type(share)


def update_sgd(w, g, h, scale, l2, l1, rate, momentum):
    h[...] = momentum * h + rate * _decayed(w, g, scale, l2, l1)
    _apply(w, g, h)


def update_nesterov(w, g, h, scale, l2, l1, rate, momentum):
    before = h.copy()
    h[...] = momentum * h + rate * _decayed(w, g, scale, l2, l1)
    _apply(w, g, (1 + w.dtype.type(momentum)) * h - momentum * before)


def update_adagrad(w, g, h, scale, l2, l1, rate, delta):
    d = _decayed(w, g, scale, l2, l1)
    h += d * d
    _apply(w, g, rate * d / (np.sqrt(h) + delta))


def update_rmsprop(w, g, h, scale, l2, l1, rate, decay, delta):
    d = _decayed(w, g, scale, l2, l1)
    h[...] = decay * h + _rest(w, decay) * d * d
    _apply(w, g, rate * d / (np.sqrt(h) + delta))


def update_adadelta(w, g, h, v, scale, l2, l1, rate, decay, delta):
    d = _decayed(w, g, scale, l2, l1)
    h[...] = decay * h + _rest(w, decay) * d * d
    u = d * np.sqrt((v + delta) / (h + delta))
    v[...] = decay * v + _rest(w, decay) * u * u
    _apply(w, g, rate * u)


def update_adam(w, g, h, v, scale, l2, l1, rate, beta1, beta2, delta):
    d = _decayed(w, g, scale, l2, l1)
    h[...] = beta1 * h + _rest(w, beta1) * d
    v[...] = beta2 * v + _rest(w, beta2) * d * d
    _apply(w, g, rate * h / (np.sqrt(v) + delta))


def sum_squares(x, total):
    total[0] = np.sum(np.square(x, dtype=np.float64))
