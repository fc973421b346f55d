"""Dropout with counter-based random numbers."""

import math

import numpy as np

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)


def dropout_forward(x, y, seed, offset, ratio):
    ratio = float(np.float32(ratio))
    mask = random_words(x.size, seed, offset) > math.floor(0xFFFFFFFF * ratio)
    y[...] = x * mask.astype(x.dtype) * x.dtype.type(1 / (1 - ratio))


def random_words(count, seed, offset):
    """The first ``count`` words of stream ``offset``, four for each of the counters 0, 1, ..."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    offsets = np.full_like(blocks, offset & (2**64 - 1))
    words = philox([blocks & _LOW, blocks >> _HIGH, offsets & _LOW, offsets >> _HIGH], seed & (2**64 - 1))
    return np.stack(words, axis=1).reshape(-1)[:count]


def philox(counter, key):
    """Philox4x32-10: four arrays of words (held as uint64) from four arrays of counter words and a 64-bit key."""
    c = counter
    key = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        first, second = c[0] * _MULTIPLIERS[0], c[2] * _MULTIPLIERS[1]
        c = [
            (second >> _HIGH) ^ c[1] ^ np.uint64(key[0]),
            second & _LOW,
            (first >> _HIGH) ^ c[3] ^ np.uint64(key[1]),
            first & _LOW,
        ]
        key = [(k + step) & 0xFFFFFFFF for k, step in zip(key, _KEY_STEPS, strict=True)]
    return c
