"""Resizing with aligned corners, of a window of each plane."""

import numpy as np


def coordinates(size, out):
    """Source coordinates of the outputs along one axis, in single precision."""
    ratio = np.float32(size - 1) / np.float32(out - 1) if out > 1 else np.float32(0)
    return ratio * np.arange(out, dtype=np.float32)


def weights(size, out, dtype):
    """The out x size matrix of one axis of the interpolation; sampling positions are single precision as in Caffe."""
    source = coordinates(size, out)
    low = source.astype(int)
    fraction = (source - low.astype(np.float32)).astype(dtype)
    high = np.minimum(low + 1, size - 1)
    matrix = np.zeros((out, size), dtype)
    np.add.at(matrix, (np.arange(out), low), 1 - fraction)
    np.add.at(matrix, (np.arange(out), high), fraction)
    return matrix


def interp_forward(x, y, top, left, height, width):
    window = x[:, top : top + height, left : left + width]
    if y.shape[1:] == (height, width):
        y[...] = window
        return
    across = window @ weights(width, y.shape[2], x.dtype).T
    y[...] = weights(height, y.shape[1], x.dtype) @ across


def interp_backward(dy, dx, top, left, height, width):
    dx[...] = 0
    window = dx[:, top : top + height, left : left + width]
    if dy.shape[1:] == (height, width):
        window[...] = dy
        return
    window[...] = weights(height, dy.shape[1], dy.dtype).T @ dy @ weights(width, dy.shape[2], dy.dtype)


def interp_nearest_forward(x, y, top, left, height, width):
    rows = np.minimum(np.floor(coordinates(height, y.shape[1]) + np.float32(0.5)).astype(int), height - 1)
    columns = np.minimum(np.floor(coordinates(width, y.shape[2]) + np.float32(0.5)).astype(int), width - 1)
    y[...] = x[:, top + rows[:, None], left + columns]
