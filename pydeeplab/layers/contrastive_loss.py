"""ContrastiveLoss: pairs that should be near each other or far apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._loss import LossLayer
from pydeeplab.layers._memory import item_rows


@register
class ContrastiveLoss(LossLayer):
    """L = sum_n (y d^2 + (1 - y) max(margin - d, 0)^2) / (2 N), d the distance of the n-th pair, y 1 for similar ones.

    With ``legacy_version`` dissimilar pairs add max(margin - d^2, 0).

    Source: Caffe ContrastiveLoss; Hadsell, Chopra and LeCun 2006.
    """

    type = "ContrastiveLoss"
    bottom_count = (3, 3)
    unpropagated_bottoms = (2,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.must_match(bottom)
        if bottom[2].count != bottom[0].shape[0]:
            raise self.shape_error(f"needs one label per pair, {bottom[0].shape[0]}, got shape {bottom[2].shape}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, param = bottom[0].shape[0], self.param.contrastive_loss_param
        self._difference = item_rows(bottom[0].data) - item_rows(bottom[1].data)
        square = np.sum(np.square(self._difference), axis=1, dtype=np.float64)
        similar = np.trunc(bottom[2].data.reshape(items)) != 0
        if param.legacy_version:
            gap = np.maximum(param.margin - square, 0)
            apart, slope = gap, np.where(gap > 0, -1.0, 0.0)
        else:
            distance = np.sqrt(square)
            gap = np.maximum(param.margin - distance, 0)
            apart, slope = gap**2, -gap / (distance + 1e-4)
        self._slope = np.where(similar, 1.0, slope)
        self.set_loss(top, float(np.where(similar, square, apart).sum()) / (2 * max(items, 1)))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = self.loss_weight(top) / max(bottom[0].shape[0], 1)
        for blob, wanted, sign in zip(bottom[:2], propagate_down[:2], (1, -1), strict=True):
            if wanted:
                gradient = self._difference * (sign * scale * self._slope)[:, None]
                blob.diff[...] = gradient.reshape(blob.shape)
