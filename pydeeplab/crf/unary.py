"""Where the CRF starts: scores from probabilities or from labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.crf.parameters import FLT_MIN
from pydeeplab.errors import DataError, UsageError

__all__ = ["scores_from_labels", "scores_from_probabilities"]


def scores_from_probabilities(probabilities: ArrayLike, min_probability: float = FLT_MIN) -> NDArray[np.float32]:
    """Scores whose softmax is the given probabilities: their logarithms.

    Parameters
    ----------
    probabilities : (C, H, W) array
        In 0..1.
    min_probability : float
        Smaller probabilities are raised to this one. The larger, the easier the CRF overrules a certain pixel: 1e-5
        is common.

    Returns
    -------
    (C, H, W) float32 array

    Raises
    ------
    DataError
        A value is not in 0..1: these are scores (logits) rather than probabilities.
    """
    p = np.asarray(probabilities, np.float32)
    if p.size and not (p.min() >= -1e-6 and p.max() <= 1 + 1e-4):
        raise DataError(
            f"probabilities must be in 0..1, these go from {p.min():g} to {p.max():g}. "
            "Scores (logits), from before a softmax, are given as scores."
        )
    result: NDArray[np.float32] = np.log(np.maximum(p, np.float32(min_probability)))
    return result


def scores_from_labels(
    labels: ArrayLike, classes: int, gt_prob: float = 0.7, *, unknown: int | None = None
) -> NDArray[np.float32]:
    """Scores from a label map that is right with a given probability.

    Parameters
    ----------
    labels : (H, W) integers
        0..classes-1, or ``unknown``.
    classes : int
        At least 2.
    gt_prob : float
        Probability that a label is right, above 1 / classes and below 1; the others share the rest.
    unknown : int, optional
        Label of pixels of which nothing is known, such as 255: all classes are equally likely there.

    Returns
    -------
    (classes, H, W) float32 array

    Raises
    ------
    DataError
        The labels are no integers, or one is out of range; the message says where.
    UsageError
        ``gt_prob`` or ``classes`` make no sense.
    """
    if classes < 2:
        raise UsageError(f"there must be at least 2 classes, got {classes}")
    if not 1 / classes < gt_prob < 1:
        raise UsageError(f"gt_prob must be above 1/{classes} (no knowledge) and below 1, got {gt_prob:g}")
    given: NDArray[Any] = np.asarray(labels)
    if given.ndim != 2 or given.dtype.kind not in "iub":
        raise DataError(f"labels must be an (H, W) array of integers, got {given.dtype} of shape {given.shape}")
    given = given.astype(np.int64)
    known = np.ones(given.shape, bool) if unknown is None else given != unknown
    wrong = known & ((given < 0) | (given >= classes))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        hint = "" if unknown is not None else " If it marks pixels of which nothing is known, say unknown=..."
        raise DataError(
            f"label {given[row, column]} at row {row}, column {column} is not in 0..{classes - 1} "
            f"({int(wrong.sum())} such pixels).{hint}"
        )
    scores = np.full((classes, *given.shape), np.log((1 - gt_prob) / (classes - 1)), np.float32)
    scores[np.where(known, given, 0), *np.indices(given.shape, sparse=True)] = np.log(gt_prob)
    scores[:, ~known] = np.log(1 / classes)
    return scores
