"""Counting pairs of true and predicted labels, with errors that say which label and where."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import get_backend
from pydeeplab.errors import DataError

__all__ = ["as_ignored", "count_labels"]


def as_ignored(ignore: int | Collection[int] | None) -> tuple[int, ...]:
    """Labels that do not count, as a sorted tuple; a number stands for itself, None for none."""
    if ignore is None:
        return ()
    return (int(ignore),) if isinstance(ignore, int | np.integer) else tuple(sorted({int(label) for label in ignore}))


def count_labels(
    counts: NDArray[np.int64],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    ignore: tuple[int, ...],
    bins: NDArray[np.int32] | None = None,
) -> None:
    """Add 1 to ``counts[bin, true label, predicted label]`` for every pixel whose true label is not ignored.

    Parameters
    ----------
    counts : (B, C, C) int64 array
        Changed in place; unchanged if an error is raised.
    truth, predicted : integer arrays of one shape
    ignore
        True labels that do not count.
    bins : int32 array of that shape, optional
        Pixels whose bin is not in 0..B-1 do not count; without bins all are in bin 0.

    Raises
    ------
    DataError
        The shapes differ, values are no integers, or a label is not in 0..C-1; the first such pixel is named.
    """
    if truth.shape != predicted.shape:
        raise DataError(f"truth of shape {truth.shape} and prediction of shape {predicted.shape} must be of one size")
    for what, labels in (("true", truth), ("predicted", predicted)):
        if labels.dtype.kind not in "biu":
            raise DataError(f"{what} labels must be integers, got {labels.dtype}")
    flat = [np.ascontiguousarray(labels, np.int32).ravel() for labels in (truth, predicted)]
    where = None if bins is None else np.ascontiguousarray(bins, np.int32).ravel()
    added = np.zeros_like(counts)
    bad = np.full(1, -1, np.int64)
    get_backend("cpu").kernels.count_pairs(*flat, where, np.array(ignore, np.int32), added, bad)
    if bad[0] >= 0:
        raise _bad_label(int(bad[0]), truth, predicted, counts.shape[1], ignore)
    counts += added


def _bad_label(
    index: int, truth: NDArray[Any], predicted: NDArray[Any], classes: int, ignore: tuple[int, ...]
) -> DataError:
    place = tuple(int(i) for i in np.unravel_index(index, truth.shape))
    true_one = not 0 <= truth[place] < classes
    what, labels = ("true", truth) if true_one else ("predicted", predicted)
    except_for = f" (nor ignored: {', '.join(map(str, ignore))})" if true_one and ignore else ""
    return DataError(
        f"{what} label {labels[place]} at pixel {place} is not one of the {classes} classes 0..{classes - 1}"
        f"{except_for}"
    )
