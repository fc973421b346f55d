"""Scores near object borders: how the paper shows what the CRF is good for (its figure 10)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pydeeplab.data.drawing import label_edges
from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation.confusion import ConfusionMatrix
from pydeeplab.evaluation.counting import as_ignored, count_labels

__all__ = ["AROUND", "Trimap", "border_distance"]

AROUND = ("void", "edges")
"""What the band lies around: pixels with the void label, or pixels beside one of another class."""


def border_distance(truth: NDArray[Any], void: int | Collection[int] = 255, around: str = "void") -> NDArray[np.int32]:
    """The smallest width of a trimap band that holds each pixel.

    The band of width w is the dilation of the border by a square of (2 w + 1)^2 pixels, without void pixels: it holds
    the pixels whose distance to the border, the larger of rows and columns, is at most w.

    Parameters
    ----------
    truth : (H, W) integer array
        True labels.
    void : int or several
        Labels of void pixels.
    around : {"void", "edges"}
        "void": the border is the void pixels, as in the DeepLab papers: annotators leave them around objects. "edges":
        for label maps without such borders, the pixels that have a right, left, upper or lower neighbour of another
        class; they themselves have width 1.

    Returns
    -------
    (H, W) int32
        1 or more; 0 for void pixels, and everywhere if there is no border.
    """
    if around not in AROUND:
        raise UsageError(f"around must be one of {', '.join(AROUND)}, got '{around}'")
    if truth.ndim != 2:
        raise DataError(f"a trimap needs a label map (H, W), got shape {truth.shape}")
    is_void = np.isin(truth, as_ignored(void))
    border = is_void if around == "void" else label_edges(truth)
    if not border.any():
        return np.zeros(truth.shape, np.int32)
    distance = ndimage.distance_transform_cdt(~border, "chessboard").astype(np.int32)
    if around == "edges":
        distance += 1
    distance[is_void] = 0
    return distance


class Trimap:
    """Confusion matrices in bands of growing width around object borders, summed over pictures.

    Parameters
    ----------
    classes : int
        Number of classes.
    ignore : int or several
        True labels that do not count; these are the void labels that the band lies around.
    widths : int
        Bands of 1 to this many pixels.
    around : {"void", "edges"}
        See `border_distance`.

    Notes
    -----
    One distance transform per picture serves all widths: pixels are counted by their distance, and band w is the sum
    of distances 1..w. Source: Krähenbühl and Koltun 2011; DeepLab's ``MyVOCevalsegBoundary``.

    Examples
    --------
    >>> trimap = Trimap(2, widths=2)
    >>> trimap.update(np.array([[255, 0, 0, 0]]), np.array([[0, 1, 0, 0]]))
    >>> trimap.pixel_accuracy().tolist()
    [0.0, 0.5]
    """

    def __init__(
        self, classes: int, ignore: int | Collection[int] | None = 255, widths: int = 40, around: str = "void"
    ):
        if widths < 1:
            raise UsageError(f"a trimap needs a width of at least 1 pixel, got {widths}")
        if around not in AROUND:
            raise UsageError(f"around must be one of {', '.join(AROUND)}, got '{around}'")
        self.classes, self.around = classes, around
        self.ignore = as_ignored(ignore)
        self.counts = np.zeros((widths + 1, classes, classes), np.int64)

    @property
    def widths(self) -> NDArray[np.int64]:
        """The widths of the bands in pixels, 1, 2, ..."""
        return np.arange(1, len(self.counts))

    def update(self, truth: NDArray[Any], predicted: NDArray[Any], distance: NDArray[np.int32] | None = None) -> None:
        """Count one picture; both maps are (H, W). ``distance`` is `border_distance`, if it is known already.

        Raises
        ------
        DataError
            As `ConfusionMatrix.update`.
        """
        if distance is None:
            distance = border_distance(truth, self.ignore, self.around)
        count_labels(self.counts, truth, predicted, self.ignore, distance)

    def merge(self, other: Trimap | NDArray[np.int64]) -> None:
        """Add the counts of another part of the data set."""
        counts = other.counts if isinstance(other, Trimap) else other
        if counts.shape != self.counts.shape:
            raise DataError(f"cannot merge trimap counts of shapes {counts.shape} and {self.counts.shape}")
        self.counts += counts

    def reset(self) -> None:
        """Forget all counts."""
        self.counts[...] = 0

    def matrix(self, width: int) -> ConfusionMatrix:
        """The confusion matrix in the band of a width of 1 or more pixels."""
        if not 1 <= width < len(self.counts):
            raise UsageError(f"the width must be in 1..{len(self.counts) - 1}, got {width}")
        matrix = ConfusionMatrix(self.classes, self.ignore)
        matrix.merge(self.counts[1 : width + 1].sum(axis=0))
        return matrix

    def mean_iou(self) -> NDArray[np.float64]:
        """Mean IoU in each band, over classes that occur or are predicted there (others have none: 0/0)."""
        return np.array([self.matrix(w).mean_iou("skip") for w in self.widths.tolist()])

    def pixel_accuracy(self) -> NDArray[np.float64]:
        """Share of right pixels in each band; NaN for an empty band."""
        matrices = [self.matrix(w) for w in self.widths.tolist()]
        return np.array([m.pixel_accuracy() if m.counts.any() else np.nan for m in matrices])

    def mean_class_accuracy(self) -> NDArray[np.float64]:
        """Mean over classes with true pixels in each band of the share that is right; NaN for an empty band."""
        means = []
        for width in self.widths.tolist():
            matrix = self.matrix(width)
            there = matrix.counts.sum(axis=1) > 0
            means.append(float(matrix.class_accuracy()[there].mean()) if there.any() else np.nan)
        return np.array(means)

    def summary(self) -> dict[str, Any]:
        """Scores by width as JSON can hold them; None for empty bands."""
        scores = {
            "mean_iou": self.mean_iou(),
            "pixel_accuracy": self.pixel_accuracy(),
            "mean_class_accuracy": self.mean_class_accuracy(),
        }
        lists = {name: [float(v) if np.isfinite(v) else None for v in values] for name, values in scores.items()}
        return {"around": self.around, "widths": self.widths.tolist(), **lists}
