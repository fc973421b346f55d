"""Maps and sums with one value per channel."""

import numpy as np


def channel_affine_forward(x, y, scale, shift, slope, relu):
    z = x if scale is None else x * scale[:, None]
    if shift is not None:
        z = z + shift[:, None]
    y[...] = np.maximum(z, 0) + x.dtype.type(slope) * np.minimum(z, 0) if relu else z


def channel_scale_gradient(x, dy, dscale):
    dscale += _channel_sum(x.astype(np.float64) * dy).astype(x.dtype)


def channel_bias_gradient(dy, dshift):
    dshift += _channel_sum(dy).astype(dy.dtype)


def channel_statistics(x, mean, variance):
    mu = _channel_mean(x)
    mean[...] = mu
    variance[...] = _channel_mean((x - mu[:, None]) ** 2)


def channel_normalize_forward(x, mean, variance, scale, shift, y, eps):
    y[...] = _normalized(x, mean, variance, eps)
    if scale is not None:
        y *= scale[:, None]
    if shift is not None:
        y += shift[:, None]


def channel_normalize_backward(x, dy, mean, variance, scale, dx, dscale, dshift, eps, batch):
    z = _normalized(x, mean, variance, eps)
    if dscale is not None:
        dscale += _channel_sum(dy * z).astype(x.dtype)
    if dshift is not None:
        dshift += _channel_sum(dy).astype(x.dtype)
    if dx is not None:
        s = 1 / np.sqrt(variance.astype(np.float64) + eps)
        if scale is not None:
            s = s * scale
        centred = dy
        if batch:
            centred = dy - _channel_mean(dy)[:, None] - z * _channel_mean(dy * z)[:, None]
        dx[...] = s[:, None] * centred


def prelu_forward(x, slope, y):
    y[...] = np.maximum(x, 0) + slope[:, None] * np.minimum(x, 0)


def prelu_backward(x, dy, slope, dx):
    dx[...] = dy * np.where(x > 0, x.dtype.type(1), slope[:, None])


def prelu_slope_gradient(x, dy, dslope):
    dslope += _channel_sum(dy * np.where(x > 0, 0, x)).astype(x.dtype)


def _normalized(x, mean, variance, eps):
    return ((x - mean[:, None]) / np.sqrt(variance.astype(np.float64) + eps)[:, None]).astype(x.dtype)


def _channel_sum(x):
    return np.sum(x, axis=(0, 2), dtype=np.float64)


def _channel_mean(x):
    return _channel_sum(x) / max(x.shape[0] * x.shape[2], 1)
