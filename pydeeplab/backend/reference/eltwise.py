"""Arithmetic between arrays of one shape."""

import numpy as np


def eltwise_add_forward(a, b, y, alpha, beta, relu):
    z = a.dtype.type(alpha) * a + a.dtype.type(beta) * b
    y[...] = np.maximum(z, 0) if relu else z


def eltwise_multiply_forward(a, b, y):
    y[...] = a * b


def eltwise_ratio_backward(y, x, dy, dx):
    with np.errstate(divide="ignore", invalid="ignore"):
        dx[...] = y / x * dy


def eltwise_max_forward(a, b, y, winner, index):
    first = a > b
    winner[...] = np.where(first, 0 if index == 1 else winner, index)
    y[...] = np.where(first, a, b)


def eltwise_max_backward(winner, dy, dx, index):
    dx[...] = np.where(winner == index, dy, 0)


def axpby(x, y, alpha, beta):
    alpha, beta = x.dtype.type(alpha), x.dtype.type(beta)
    y[...] = alpha * x if beta == 0 else alpha * x + beta * y
