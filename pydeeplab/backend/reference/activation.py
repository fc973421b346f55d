"""Pointwise non-linearities."""

import numpy as np


def relu_forward(x, y, slope):
    y[...] = np.maximum(x, 0) + x.dtype.type(slope) * np.minimum(x, 0)


def relu_backward(x, dy, dx, slope):
    dx[...] = dy * np.where(x > 0, 1, slope).astype(x.dtype)


def sigmoid_forward(x, y, beta):
    y[...] = 0.5 * np.tanh(x.dtype.type(0.5 * beta) * x) + 0.5


def sigmoid_backward(y, dy, dx):
    dx[...] = dy * y * (1 - y)


def tanh_forward(x, y):
    y[...] = np.tanh(x)


def tanh_backward(y, dy, dx):
    dx[...] = dy * (1 - y * y)


def elu_forward(x, y, alpha):
    y[...] = np.maximum(x, 0) + x.dtype.type(alpha) * np.expm1(np.minimum(x, 0))


def elu_backward(x, y, dy, dx, alpha):
    dx[...] = dy * np.where(x > 0, x.dtype.type(1), y + x.dtype.type(alpha))


def clip_forward(x, y, low, high):
    y[...] = np.maximum(np.minimum(x, x.dtype.type(high)), x.dtype.type(low))


def clip_backward(x, dy, dx, low, high):
    low, high = x.dtype.type(low), x.dtype.type(high)
    dx[...] = np.where((x >= low) & (x <= high), dy, 0)
