"""Dropout with counter-based random numbers."""

import math

import numpy as np

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)


def dropout_forward(x, y, seed, offset, ratio):
    threshold = math.floor(0xFFFFFFFF * ratio)
    mask = _random_words(x.size, seed, offset) > threshold
    y[...] = x * mask.astype(x.dtype) * x.dtype.type(1 / (1 - ratio))


def _random_words(count, seed, offset):
    """The first ``count`` 32-bit outputs of Philox4x32-10 for the counters 0, 1, ... of stream ``offset``."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    seed, offset = seed & (2**64 - 1), offset & (2**64 - 1)
    c = [blocks & _LOW, blocks >> np.uint64(32)]
    c += [np.full_like(blocks, offset & 0xFFFFFFFF), np.full_like(blocks, offset >> 32)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = c[0] * _MULTIPLIERS[0], c[2] * _MULTIPLIERS[1]
        c = [
            (second >> np.uint64(32)) ^ c[1] ^ np.uint64(key[0]),
            second & _LOW,
            (first >> np.uint64(32)) ^ c[3] ^ np.uint64(key[1]),
            first & _LOW,
        ]
        key = [(k + step) & 0xFFFFFFFF for k, step in zip(key, _KEY_STEPS, strict=True)]
    return np.stack(c, axis=1).reshape(-1)[:count]
