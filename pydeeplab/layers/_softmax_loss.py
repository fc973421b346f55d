"""What losses of the softmax of scores share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layers._loss import LossLayer, check_label_count, normalization_of

__all__ = ["SoftmaxLossLayer"]


class SoftmaxLossLayer(LossLayer):
    """Base of losses that compare the softmax of bottom 0 along an axis with the labels in bottom 1.

    ``loss_param`` says what is ignored and how the sum is normalised. A second top gets the probabilities.
    """

    top_count = (1, 2)
    label_bottoms = (1,)

    @property
    def class_axis(self) -> int:
        """The axis of the classes, as the prototxt has it; it may be negative."""
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        loss = self.param.loss_param
        self.ignored = set(loss.ignore_labels) | ({loss.ignore_label} if loss.HasField("ignore_label") else set())
        self.normalization = normalization_of(loss)
        self._probability = self.new_blob()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        axis = bottom[0].axis(self.class_axis)
        shape = bottom[0].shape
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        check_label_count(self, bottom[0], bottom[1], outer, inner)
        self._view, self._spatial = (outer, shape[axis], inner), shape[axis + 1 :]
        self._probability.reshape_like(bottom[0])
        if len(top) > 1:
            top[1].reshape_like(bottom[0])
            top[1].share_data(self._probability)
