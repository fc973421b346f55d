"""The confusion matrix of a whole data set, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation.counting import as_ignored, count_labels
from pydeeplab.json_values import json_ready

__all__ = ["ABSENT", "ConfusionMatrix"]

ABSENT = ("zero", "one", "skip", "untrue")
"""What `ConfusionMatrix.mean_iou` makes of classes without pixels."""


class ConfusionMatrix:
    """Counts of pixels by true class (rows) and predicted class (columns), summed over pictures.

    Parameters
    ----------
    classes : int
        Number of classes.
    ignore : int, several, or None
        True labels that do not count. Those among the classes are left out of all means, as the VOC devkit leaves out
        classes called "void".

    Notes
    -----
    Scores belong to the whole data set: counts are added up over pictures first, so that large and small pictures, and
    pictures with few and many classes, count by their pixels. The rules are those of the VOC devkit (``VOCevalseg``).
    The mean IoU depends on what becomes of classes without pixels; see `mean_iou`. Once every class occurs, all
    variants agree.

    Examples
    --------
    >>> scores = ConfusionMatrix(2)
    >>> scores.update(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 1]))
    >>> scores.iou()
    array([0.5, 0.5])
    """

    def __init__(self, classes: int, ignore: int | Collection[int] | None = 255):
        if classes < 1:
            raise UsageError(f"a confusion matrix needs at least one class, got {classes}")
        self.classes = classes
        self.ignore = as_ignored(ignore)
        self.counts = np.zeros((classes, classes), np.int64)

    def __repr__(self) -> str:
        return f"<ConfusionMatrix of {self.classes} classes, {int(self.counts.sum())} pixels>"

    def update(self, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Count one picture (or a batch); both arrays have its shape and hold class numbers.

        Raises
        ------
        DataError
            The shapes differ, values are no integers, or a class number is out of range; the first such pixel is
            named, and nothing is counted.
        """
        count_labels(self.counts[None], truth, predicted, self.ignore)

    def merge(self, other: ConfusionMatrix | NDArray[np.int64]) -> None:
        """Add the counts of another part of the data set.

        Raises
        ------
        DataError
            The other part has another number of classes.
        """
        counts = other.counts if isinstance(other, ConfusionMatrix) else other
        if counts.shape != self.counts.shape:
            raise DataError(f"cannot merge counts of {len(counts)} classes with those of {self.classes}")
        self.counts += counts

    def reset(self) -> None:
        """Forget all counts."""
        self.counts[...] = 0

    # Which classes count ---------------------------------------------------------------------------------------------

    def scored(self) -> NDArray[np.bool_]:
        """Per class, whether it enters the means: all but ignored ones."""
        return ~np.isin(np.arange(self.classes), self.ignore)

    def absent(self) -> list[int]:
        """Scored classes that have no true pixel."""
        return np.flatnonzero(self.scored() & (self.counts.sum(axis=1) == 0)).tolist()

    # Scores ----------------------------------------------------------------------------------------------------------

    def _unions(self) -> NDArray[np.int64]:
        return np.asarray(self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diag(self.counts))

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, 0..1: hits / (true + predicted - hits).

        0 for a class that neither occurs nor is predicted.
        """
        return np.asarray(np.diag(self.counts) / np.maximum(self._unions(), 1))

    def mean_iou(self, absent: str = "zero") -> float:
        """Mean of `iou` over the scored classes.

        Parameters
        ----------
        absent : {"zero", "one", "skip", "untrue"}
            "zero": the VOC devkit's rule, a class that neither occurs nor is predicted has an IoU of 0. "one": it has
            1, as in Caffe's SegAccuracy. "skip": it is left out. "untrue": all classes without a true pixel are left
            out, predicted or not, as deeplab-pytorch and others do.

        Returns
        -------
        float
            NaN where no class is left.
        """
        if absent not in ABSENT:
            raise UsageError(f"absent must be one of {', '.join(ABSENT)}, got '{absent}'")
        iou, scored, empty = self.iou(), self.scored(), self._unions() == 0
        if absent == "one":
            iou = np.where(empty, 1.0, iou)
        elif absent == "skip":
            scored &= ~empty
        elif absent == "untrue":
            scored &= self.counts.sum(axis=1) > 0
        return float(iou[scored].mean()) if scored.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of counted pixels that are right."""
        return float(np.trace(self.counts) / max(self.counts.sum(), 1))

    def class_accuracy(self) -> NDArray[np.float64]:
        """Share of each true class's pixels that are right (recall); 0 for classes without pixels."""
        return np.asarray(np.diag(self.counts) / np.maximum(self.counts.sum(axis=1), 1))

    def precision(self) -> NDArray[np.float64]:
        """Share of each predicted class's pixels that are right; 0 for classes that are never predicted."""
        return np.asarray(np.diag(self.counts) / np.maximum(self.counts.sum(axis=0), 1))

    def mean_class_accuracy(self) -> float:
        """Mean of `class_accuracy` over the scored classes, 0 for absent ones (the VOC devkit's rule)."""
        scored = self.scored()
        return float(self.class_accuracy()[scored].mean()) if scored.any() else float("nan")

    def frequency_weighted_iou(self) -> float:
        """Mean of `iou` weighted by each class's share of the true pixels."""
        return float((self.counts.sum(axis=1) * self.iou()).sum() / max(self.counts.sum(), 1))

    def summary(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """All scores, 0..1, as JSON can hold them; classes by name, or by number without ``names``."""
        labels = [names[i] if names and i < len(names) else str(i) for i in range(self.classes)]
        scored = self.scored()
        return {
            "mean_iou": json_ready(self.mean_iou()),
            "mean_iou_of_true_classes": json_ready(self.mean_iou("untrue")),
            "mean_iou_absent_as_one": json_ready(self.mean_iou("one")),
            "pixel_accuracy": self.pixel_accuracy(),
            "mean_class_accuracy": json_ready(self.mean_class_accuracy()),
            "frequency_weighted_iou": self.frequency_weighted_iou(),
            "pixels": int(self.counts.sum()),
            "absent": [labels[i] for i in self.absent()],
            "classes": {
                labels[i]: {
                    "iou": float(self.iou()[i]),
                    "accuracy": float(self.class_accuracy()[i]),
                    "precision": float(self.precision()[i]),
                    "pixels": int(self.counts[i].sum()),
                }
                for i in np.flatnonzero(scored).tolist()
            },
            "confusion": self.counts.tolist(),
        }
