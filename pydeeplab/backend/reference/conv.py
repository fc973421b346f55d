"""Convolution by its definition: one strided slice of the padded image per kernel tap."""

import numpy as np


def _taps(out, kernel, stride, dilation):
    for number, tap in enumerate(np.ndindex(*kernel)):
        yield (
            number,
            tuple(
                slice(u * d, u * d + (o - 1) * s + 1, s) for u, o, s, d in zip(tap, out, stride, dilation, strict=True)
            ),
        )


def _pad(x, pad):
    return np.pad(x, [(0, 0)] * (x.ndim - len(pad)) + [(p, p) for p in pad])


def _unpad(x, pad):
    return x[(..., *(slice(p, n - p) for p, n in zip(pad, x.shape[-len(pad) :], strict=True)))]


def _im2col(x, columns, kernel, stride, pad, dilation):
    out, padded = columns.shape[2:], _pad(x, pad)
    for number, window in _taps(out, kernel, stride, dilation):
        columns[:, number :: np.prod(kernel)] = padded[(slice(None), slice(None), *window)]


def _col2im(columns, x, kernel, stride, pad, dilation):
    out, padded = columns.shape[2:], _pad(np.zeros_like(x), pad)
    for number, window in _taps(out, kernel, stride, dilation):
        padded[(slice(None), slice(None), *window)] += columns[:, number :: np.prod(kernel)]
    x[...] = _unpad(padded, pad)


def _split(x, group):
    return x.reshape(x.shape[0], group, x.shape[1] // group, *x.shape[2:])


def _lines(x):
    return x.reshape(*x.shape[:3], np.prod(x.shape[3:], dtype=int))


def _weights_and_windows(w, out, stride, dilation, group):
    """For every tap the weights [group, outputs, inputs] and the slices of a padded image that it multiplies."""
    weights = w.reshape(group, w.shape[0] // group, w.shape[1], *w.shape[2:])
    for (_, window), tap in zip(_taps(out, w.shape[2:], stride, dilation), np.ndindex(*w.shape[2:]), strict=True):
        yield weights[(..., *tap)], (..., *window)


def _add_bias(y, bias):
    if bias is not None:
        y += bias.reshape(-1, *(1 for _ in y.shape[2:]))


def _forward(x, w, bias, y, stride, pad, dilation, group):
    images, total = _split(_pad(x, pad), group), _lines(_split(np.zeros_like(y), group))
    for weights, window in _weights_and_windows(w, y.shape[2:], stride, dilation, group):
        total += weights @ _lines(images[window])
    y[...] = total.reshape(y.shape)
    _add_bias(y, bias)


def _backward_data(dy, w, bias, dx, stride, pad, dilation, group):
    padded, gradients = _pad(np.zeros_like(dx), pad), _lines(_split(dy, group))
    images = _split(padded, group)
    for weights, window in _weights_and_windows(w, dy.shape[2:], stride, dilation, group):
        images[window] += (np.swapaxes(weights, 1, 2) @ gradients).reshape(images[window].shape)
    dx[...] = _unpad(padded, pad)
    _add_bias(dx, bias)


def _backward_weights(x, dy, dw, stride, pad, dilation, group):
    images, gradients = _split(_pad(x, pad), group), _lines(_split(dy, group))
    for weights, window in _weights_and_windows(dw, dy.shape[2:], stride, dilation, group):
        weights += (gradients @ np.swapaxes(_lines(images[window]), 2, 3)).sum(axis=0)


def im2col(x, columns, kernel_h, kernel_w, *window):
    _im2col(x, columns, (kernel_h, kernel_w), *_pairs(window))


def col2im(columns, x, kernel_h, kernel_w, *window):
    _col2im(columns, x, (kernel_h, kernel_w), *_pairs(window))


def _pairs(window):
    return window[0:2], window[2:4], window[4:6]


def conv_forward(x, w, bias, y, columns, *window_and_group):
    _forward(x, w, bias, y, *_pairs(window_and_group), window_and_group[6])


def conv_backward_data(dy, w, bias, dx, columns, *window_and_group):
    _backward_data(dy, w, bias, dx, *_pairs(window_and_group), window_and_group[6])


def conv_backward_weights(x, dy, dw, columns, *window_and_group):
    _backward_weights(x, dy, dw, *_pairs(window_and_group), window_and_group[6])


conv_forward_strips, conv_backward_data_strips = conv_forward, conv_backward_data
conv_backward_weights_strips, conv_backward_data_packed = conv_backward_weights, conv_backward_data


def conv_forward_packed(x, w, scale, bias, other, y, work, *window_group_relu_slope):
    *window_and_group, relu, slope = window_group_relu_slope
    other = 0 if other is None else other.copy()
    conv_forward(x, w, None, y, work, *window_and_group)
    if scale is not None:
        y *= scale.reshape(-1, 1, 1)
    _add_bias(y, bias)
    y += other
    if relu:
        y[...] = y.clip(min=0) + slope * y.clip(max=0)


def conv_backward_bias(dy, db):
    db += dy.sum(axis=(0, 2))


def depthwise_forward(x, w, bias, y, *window):
    _forward(x, w, bias, y, *_pairs(window), x.shape[1])


def depthwise_backward_data(dy, w, bias, dx, *window):
    _backward_data(dy, w, bias, dx, *_pairs(window), dx.shape[1])


def depthwise_backward_weights(x, dy, dw, *window):
    _backward_weights(x, dy, dw, *_pairs(window), x.shape[1])


def _axes(geometry):
    return [tuple(int(v) for v in column) for column in geometry.T]


def im2col_nd(x, columns, geometry):
    size, out, *window = _axes(geometry)
    _im2col(x.reshape(*x.shape[:2], *size), columns.reshape(*columns.shape[:2], *out), *window)


def col2im_nd(columns, x, geometry):
    size, out, *window = _axes(geometry)
    _col2im(columns.reshape(*columns.shape[:2], *out), x.reshape(*x.shape[:2], *size), *window)


def conv_nd_forward(x, w, bias, y, columns, geometry, group):
    size, out, kernel, *window = _axes(geometry)
    shaped = (x.reshape(*x.shape[:2], *size), w.reshape(*w.shape[:2], *kernel), bias, y.reshape(*y.shape[:2], *out))
    _forward(*shaped, *window, group)


def conv_nd_backward_data(dy, w, bias, dx, columns, geometry, group):
    size, out, kernel, *window = _axes(geometry)
    shaped = (dy.reshape(*dy.shape[:2], *out), w.reshape(*w.shape[:2], *kernel), bias, dx.reshape(*dx.shape[:2], *size))
    _backward_data(*shaped, *window, group)


def conv_nd_backward_weights(x, dy, dw, columns, geometry, group):
    size, out, kernel, *window = _axes(geometry)
    shaped = (x.reshape(*x.shape[:2], *size), dy.reshape(*dy.shape[:2], *out), dw.reshape(*dw.shape[:2], *kernel))
    _backward_weights(*shaped, *window, group)
