"""What the tests of the CRF share: exact Gaussians, and pictures with something to refine."""

from __future__ import annotations

import numpy as np


def exact_kernel(features: np.ndarray) -> np.ndarray:
    """exp(-|f_i - f_j|^2 / 2) for all pairs of points, in double precision."""
    f = features.astype(np.float64)
    return np.exp(-0.5 * ((f[:, None] - f[None]) ** 2).sum(axis=2))


def normalized(kernel: np.ndarray, normalization: str) -> np.ndarray:
    """The matrix of a normalised filter."""
    sums = kernel.sum(axis=1)
    before, after = {
        "none": (1, 1),
        "after": (1, 1 / sums),
        "before": (1 / sums, 1),
        "symmetric": (sums**-0.5, sums**-0.5),
    }[normalization]
    return kernel * np.broadcast_to(after, sums.shape)[:, None] * np.broadcast_to(before, sums.shape)


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the first axis."""
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def exact_mean_field(scores, terms, iterations):
    """Mean field with dense matrices: ``terms`` are (matrix (N, N), penalties (C, C)); scores (C, N)."""
    q = softmax(scores)
    for _ in range(iterations):
        q = softmax(scores - sum(penalty @ (q @ matrix.T) for matrix, penalty in terms))
    return q


def picture(height=24, width=31, classes=4, seed=0):
    """A picture of flat, noisy patches with true labels, and scores that are shifted, blurred and noisy."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    labels = ((x * 3 // width) + 2 * (y * 2 // height)) % classes
    colours = random.integers(20, 235, (classes, 3))
    image = np.clip(colours[labels] + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)
    rough = np.roll(labels, 2, axis=1)
    scores = 2.0 * (rough == np.arange(classes)[:, None, None]) + random.normal(0, 0.7, (classes, height, width))
    return image, labels, scores.astype(np.float32)
