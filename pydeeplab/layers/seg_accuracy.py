"""SegAccuracy: pixel accuracy, mean recall and mean intersection over union."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._loss import bad_label


@register
class SegAccuracy(Layer):
    """Pixel accuracy, mean recall and mean IoU of the winning channels (the larger index where channels tie).

    The confusion matrix starts anew in each forward unless ``seg_accuracy_param.reset`` is false. Mean recall leaves
    out classes without labels; mean IoU counts a class without labels and predictions as 1.

    Raises
    ------
    DataError
        A label is neither ignored nor in 0..C-1; the message gives item, pixel and value.

    Source: DeepLab SegAccuracy.
    """

    type = "SegAccuracy"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)
    label_bottoms = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.ignored = set(self.param.seg_accuracy_param.ignore_label)
        backend = self.context.backend
        self._ignore = Blob((len(self.ignored),), backend=backend, dtype=np.int32)
        self._ignore.data[...] = sorted(self.ignored)
        if len(bottom[0].shape) < 2:
            raise self.shape_error(f"scores must be N x C x H x W, got shape {bottom[0].shape}")
        self._confusion = Blob((bottom[0].shape[1],) * 2, backend=backend, dtype=np.int64)
        self._bad = Blob((1,), backend=backend, dtype=np.int64)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores, labels = bottom[0].shape, bottom[1].shape
        classes = self._confusion.shape[0]
        if len(scores) < 2 or scores[1] != classes:
            raise self.shape_error(f"the number of classes changed from {classes}: scores now have shape {scores}")
        expected = (scores[0], 1, *scores[2:])
        if labels != expected and labels != (scores[0], *scores[2:]):
            raise self.shape_error(
                f"scores of shape {scores} need labels of shape {expected}, got {labels}. Resize one of them (Interp)."
            )
        top[0].reshape(1, 1, 1, 3)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The C x C matrix of counts so far: rows are labels, columns predictions."""
        return np.asarray(self._confusion.data).copy()

    def reset(self) -> None:
        """Forget what was counted."""
        self._confusion.data[...] = 0

    @property
    def state(self) -> dict[str, NDArray[np.int64]]:
        """What was counted so far; can be put back: ``layer.state = saved``."""
        return {"confusion": self.confusion}

    @state.setter
    def state(self, saved: dict[str, NDArray[np.int64]]) -> None:
        self._confusion.data[...] = saved["confusion"]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.seg_accuracy_param.reset:
            self.reset()
        items, classes, *spatial = bottom[0].shape
        positions = math.prod(spatial)
        self.kernels.confusion_matrix(
            bottom[0].read().reshape(items, classes, positions),
            bottom[1].read().reshape(items, positions),
            self._ignore.read(),
            self._confusion.modify(),
            self._bad.write(),
        )
        bad = int(self._bad.data[0])
        if bad >= 0:
            raise bad_label(self, float(bottom[1].data.reshape(-1)[bad]), bad, spatial, classes, self.ignored)
        top[0].data[...] = scores_of(self._confusion.data)


def scores_of(confusion: NDArray[np.int64]) -> tuple[float, float, float]:
    """Pixel accuracy, mean recall and mean IoU of a confusion matrix, as SegAccuracy defines them."""
    hits, labelled, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    total, present = int(confusion.sum()), labelled > 0
    union = labelled + predicted - hits
    recall = float(np.mean(hits[present] / labelled[present])) if present.any() else 0.0
    iou = float(np.mean(np.where(union > hits, hits / np.maximum(union, 1), 1.0)))
    return (int(hits.sum()) / total if total else 0.0, recall, iou)
