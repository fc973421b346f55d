"""Pooling, window by window."""

import numpy as np

LOWEST = -np.finfo(np.float32).max
TINY = np.finfo(np.float32).tiny


def _taps(position, size, kernel, stride, pad, dilation):
    """A window along one axis: its pixels inside the image, and how many there are before the image cuts it."""
    start = position * stride - pad
    first = start + -(min(start, 0) // dilation) * dilation
    stop = min(start + (kernel - 1) * dilation + 1, size)
    return slice(min(first, size), max(stop, 0), dilation), min(kernel, -((start - size - pad) // dilation))


def _windows(image, pooled, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w):
    """Yield (p, q), the rows and columns inside the image, and the size before the image cuts the window."""
    (height, width), (rows, columns) = image, pooled
    for p in range(rows):
        for q in range(columns):
            down, full_h = _taps(p, height, kernel_h, stride_h, pad_h, dilation_h)
            along, full_w = _taps(q, width, kernel_w, stride_w, pad_w, dilation_w)
            yield (p, q), (down, along), full_h * full_w


def _flat(x, rows, columns):
    """The window's pixels, (planes, pixels) in row-major order, and their positions in the plane."""
    width = x.shape[3]
    positions = np.arange(x.shape[2] * width).reshape(x.shape[2], width)[rows, columns].reshape(-1)
    return x[:, :, rows, columns].reshape(*x.shape[:2], positions.size), positions


def max_pool_forward(x, y, index, *window):
    y[...] = LOWEST
    if index is not None:
        index[...] = -1
    for (p, q), (rows, columns), _ in _windows(x.shape[2:], y.shape[2:], *window):
        values, positions = _flat(x, rows, columns)
        for value, position in zip(np.moveaxis(values, 2, 0), positions, strict=True):
            larger = value > y[:, :, p, q]
            y[:, :, p, q][larger] = value[larger]
            if index is not None:
                index[:, :, p, q][larger] = position


def max_pool_backward(dy, index, dx, *window):
    dx[...] = 0
    for plane in np.ndindex(*dx.shape[:2]):
        found = index[plane] >= 0
        np.add.at(dx[plane].reshape(-1), index[plane][found], dy[plane][found])


def ave_pool_forward(x, y, *window):
    for (p, q), (rows, columns), size in _windows(x.shape[2:], y.shape[2:], *window):
        y[:, :, p, q] = x[:, :, rows, columns].sum(axis=(2, 3)) / max(size, 1)


def ave_pool_backward(dy, dx, *window):
    dx[...] = 0
    for (p, q), (rows, columns), size in _windows(dx.shape[2:], dy.shape[2:], *window):
        dx[:, :, rows, columns] += dy[:, :, p, q, None, None] / max(size, 1)


def stochastic_pool_forward(x, u, y, index, *window):
    y[...] = 0
    index[...] = -1
    for (p, q), (rows, columns), _ in _windows(x.shape[2:], y.shape[2:], *window):
        values, positions = _flat(x, rows, columns)
        running = np.cumsum(values, axis=2, dtype=x.dtype)
        if not positions.size:
            continue
        reached = running >= u[:, :, p, q, None] * running[:, :, -1:]
        first = np.argmax(reached, axis=2)
        found = reached.any(axis=2)
        y[:, :, p, q] = np.where(found, np.take_along_axis(values, first[..., None], 2)[..., 0], 0)
        index[:, :, p, q] = np.where(found, positions[first], -1)


def stochastic_pool_average(x, y, *window):
    for (p, q), (rows, columns), _ in _windows(x.shape[2:], y.shape[2:], *window):
        values = x[:, :, rows, columns]
        y[:, :, p, q] = (values * values).sum(axis=(2, 3)) / (x.dtype.type(TINY) + values.sum(axis=(2, 3)))
