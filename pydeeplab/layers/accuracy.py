"""Accuracy: the share of labels among the best predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._loss import check_label_count, class_labels


@register
class Accuracy(Layer):
    """Share of the positions whose label is among the ``top_k`` largest scores; a tie with the label is a miss.

    A second top gets the same for each class, 0 for classes without labels. Nothing to count gives 0.

    Source: Caffe Accuracy (the version that counts scores not below the label's).
    """

    type = "Accuracy"
    bottom_count = (2, 2)
    top_count = (1, 2)
    unpropagated_bottoms = (0, 1)
    label_bottoms = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.accuracy_param
        self.ignored = [param.ignore_label] if param.HasField("ignore_label") else []
        self.top_k = int(param.top_k)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = bottom[0].axis(self.param.accuracy_param.axis)
        shape = bottom[0].shape
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        if not 1 <= self.top_k <= shape[axis]:
            raise self.error(
                f"accuracy_param.top_k must be in 1..{shape[axis]} (the number of classes), got {self.top_k}"
            )
        check_label_count(self, bottom[0], bottom[1], outer, inner)
        self._view, self._spatial = (outer, shape[axis], inner), shape[axis + 1 :]
        top[0].reshape()
        if len(top) > 1:
            top[1].reshape(shape[axis])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self._view
        scores = bottom[0].data.reshape(self._view)
        labels, used = class_labels(self, bottom[1], outer, inner, classes, self.ignored, self._spatial)
        index = np.where(used, labels, 0)
        rivals = np.count_nonzero(scores >= np.take_along_axis(scores, index[:, None], axis=1), axis=1) - 1
        hits = used & (rivals < self.top_k)
        top[0].data[...] = int(hits.sum()) / max(int(used.sum()), 1)
        if len(top) > 1:
            right = np.bincount(labels[hits], minlength=classes)
            top[1].data[...] = right / np.maximum(np.bincount(labels[used], minlength=classes), 1)
