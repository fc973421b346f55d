"""Putting pooled values back where they came from."""

import numpy as np

from pydeeplab.errors import DataError


def pool_mask(index, mask):
    mask[...] = index


def _positions(mask, height, width):
    bad = np.argwhere(~((mask >= 0) & (mask < height * width)))
    if len(bad):
        n, c, h, w = bad[0]
        value = mask[n, c, h, w]
        raise DataError(f"mask[{n}, {c}, {h}, {w}] is {value:g}, which is no position in a plane of {height} x {width}")
    return mask.astype(np.int64)


def unpool_forward(x, mask, y):
    y[...] = 0
    positions = _positions(mask, *y.shape[2:])
    for plane in np.ndindex(*y.shape[:2]):
        for value, position in zip(x[plane].flat, positions[plane].flat, strict=True):
            y[plane].reshape(-1)[position] = value


def unpool_backward(dy, mask, dx):
    positions = _positions(mask, *dy.shape[2:])
    for plane in np.ndindex(*dy.shape[:2]):
        dx[plane] = dy[plane].reshape(-1)[positions[plane]]
