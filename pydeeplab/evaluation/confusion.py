"""The confusion matrix of a whole data set, and the scores that follow from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError

__all__ = ["ConfusionMatrix"]


class ConfusionMatrix:
    """Counts of pixels by true class (rows) and predicted class (columns), summed over pictures.

    Parameters
    ----------
    classes : int
        Number of classes.
    ignore : int or None
        Label of pixels that do not count.

    Notes
    -----
    Scores are those of the VOC devkit: over the whole data set, not averaged over pictures; a class that neither occurs
    nor is predicted has an intersection over union of 0.

    Examples
    --------
    >>> scores = ConfusionMatrix(2)
    >>> scores.update(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 1]))
    >>> scores.iou()
    array([0.5, 0.5])
    """

    def __init__(self, classes: int, ignore: int | None = 255):
        self.classes = classes
        self.ignore = ignore
        self.counts = np.zeros((classes, classes), np.int64)

    def update(self, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Count one picture; both arrays have its shape and hold class numbers.

        Raises
        ------
        DataError
            The shapes differ, or a class number is out of range; the first such pixel is named.
        """
        if truth.shape != predicted.shape:
            raise DataError(
                f"truth of shape {truth.shape} and prediction of shape {predicted.shape} must be of one size"
            )
        counted = np.ones(truth.shape, bool) if self.ignore is None else truth != self.ignore
        for what, labels in (("true", truth), ("predicted", predicted)):
            wrong = counted & ((labels < 0) | (labels >= self.classes))
            if wrong.any():
                first = tuple(int(i) for i in np.argwhere(wrong)[0])
                raise DataError(
                    f"{what} label {labels[first]} at pixel {first} is not one of the {self.classes} classes"
                    + (f" (nor {self.ignore}, ignored)" if what == "true" and self.ignore is not None else "")
                )
        pairs = self.classes * truth[counted].astype(np.int64) + predicted[counted].astype(np.int64)
        self.counts += np.bincount(pairs, minlength=self.classes**2).reshape(self.counts.shape)

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another part of the data set."""
        self.counts += other.counts

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, 0 to 1."""
        hits = np.diag(self.counts)
        return hits / np.maximum(self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits, 1)

    def mean_iou(self) -> float:
        """Mean of `iou` over all classes."""
        return float(self.iou().mean())

    def pixel_accuracy(self) -> float:
        """Share of counted pixels that are right."""
        return float(np.trace(self.counts) / max(self.counts.sum(), 1))

    def class_accuracy(self) -> NDArray[np.float64]:
        """Share of each true class's pixels that are right (recall)."""
        return np.diag(self.counts) / np.maximum(self.counts.sum(axis=1), 1)
