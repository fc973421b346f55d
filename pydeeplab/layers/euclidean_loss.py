"""EuclideanLoss: squared differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._loss import LossLayer


@register
class EuclideanLoss(LossLayer):
    """L = sum (a - b)^2 / (2 N) for N items.

    Where ``euclidean_loss_param.type`` is given, as in DeepLab v1: L2 is half the mean square of all elements, L2sqrt
    the root of the mean square.

    Source: Caffe EuclideanLoss; DeepLab v1 EUCLIDEAN_LOSS.
    """

    type = "EuclideanLoss"
    unpropagated_bottoms = ()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given = self.param.euclidean_loss_param
        self.of_all_elements = given.HasField("type")
        self.root = self.of_all_elements and given.type == given.L2sqrt

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.must_match(bottom)

    def _difference(self, bottom: Sequence[Blob]) -> np.ndarray:
        return np.subtract(bottom[0].data.reshape(-1), bottom[1].data.reshape(-1))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        square = float(np.sum(np.square(self._difference(bottom)), dtype=np.float64))
        self._count = max(bottom[0].count if self.of_all_elements else bottom[0].shape[0], 1)
        self._loss = math.sqrt(square / self._count) if self.root else square / (2 * self._count)
        self.set_loss(top, self._loss)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = self.loss_weight(top) / self._count / (max(self._loss, 1e-6) if self.root else 1)
        difference = self._difference(bottom)
        for blob, wanted, sign in zip(bottom, propagate_down, (1, -1), strict=True):
            if wanted:
                blob.diff.reshape(-1)[...] = difference * (sign * scale)
