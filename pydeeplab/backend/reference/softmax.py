"""Softmax over channels, alone and with the multinomial logistic loss."""

import numpy as np

from pydeeplab.backend.reference.labels import classify

TINY = np.finfo(np.float32).tiny


def softmax_forward(x, y):
    if x.size:
        with np.errstate(invalid="ignore"):
            e = np.exp(x - x.max(axis=1, keepdims=True))
        y[...] = e / e.sum(axis=1, keepdims=True)


def softmax_backward(y, dy, dx):
    dx[...] = y * (dy - (dy * y).sum(axis=1, keepdims=True))


def softmax_loss_forward(x, label, weight, ignore, p, sums):
    softmax_forward(x, p)
    classes, valid, first_bad = classify(label, x.shape[1], ignore)
    chosen = np.take_along_axis(p, np.where(valid, classes, 0)[:, None], axis=1)[:, 0].astype(np.float64)
    weights = np.where(valid, 1.0 if weight is None else weight[np.where(valid, classes, 0)], 0.0)
    losses = -np.log(np.where(valid, np.maximum(chosen, TINY), 1.0))
    sums[...] = np.sum(losses * weights), weights.sum(), valid.sum(), first_bad


def softmax_loss_backward(p, label, weight, ignore, dx, scale):
    channels = p.shape[1]
    classes, valid, _ = classify(label, channels, ignore)
    onehot = classes[:, None] == np.arange(channels)[:, None]
    factor = scale * (1.0 if weight is None else weight[np.where(valid, classes, 0)])
    dx[...] = np.where(valid[:, None], (p - onehot) * np.broadcast_to(factor, label.shape)[:, None], 0)
