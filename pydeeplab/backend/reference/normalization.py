"""Local response normalisation and L2 normalisation."""

import numpy as np


def lrn_across_forward(x, y, s, size, alpha, beta, k):
    s[...] = k + alpha / size * _window_sum(x * x, size, axis=1)
    y[...] = x * s**-beta


def lrn_across_backward(x, y, s, dy, dx, size, alpha, beta):
    dx[...] = dy * s**-beta - 2 * alpha * beta / size * x * _window_sum(dy * y / s, size, axis=1)


def lrn_within_forward(x, y, s, size, alpha, beta, k):
    s[...] = k + alpha / size**2 * _box_sum(x * x, size)
    y[...] = x * s**-beta


def lrn_within_backward(x, y, s, dy, dx, size, alpha, beta):
    dx[...] = dy * s**-beta - 2 * alpha * beta / size**2 * x * _box_sum(dy * y / s, size)


def l2_normalize_forward(x, y, norm, eps):
    norm[...] = np.sqrt(np.sum(np.square(x, dtype=np.float64), axis=1) + eps)
    y[...] = x / norm[:, None]


def l2_normalize_backward(x, norm, dy, dx):
    projection = np.sum(x * dy, axis=1, dtype=np.float64) / np.square(norm, dtype=np.float64)
    dx[...] = (dy - x * projection[:, None]) / norm[:, None]


def _window_sum(x, size, axis):
    """Sum over `size` neighbours along an axis, centred, with zeros outside."""
    if not x.size:
        return x
    before = (size - 1) // 2
    widths = [(0, 0)] * x.ndim
    widths[axis] = (before, size - 1 - before)
    padded = np.pad(x, widths)
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=axis).sum(axis=-1)


def _box_sum(x, size):
    return _window_sum(_window_sum(x, size, axis=1), size, axis=2)
