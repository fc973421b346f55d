"""HingeLoss: one class against all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._loss import LossLayer, check_label_count, class_labels
from pydeeplab.layers._memory import item_rows


@register
class HingeLoss(LossLayer):
    """L = sum max(0, 1 - s x)^p / N, s = 1 for the item's class and -1 for the others; p = 1 (L1) or 2 (L2).

    Source: Caffe HingeLoss.
    """

    label_bottoms = (1,)
    type = "HingeLoss"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_label_count(self, bottom[0], bottom[1], bottom[0].shape[0], 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items = bottom[0].shape[0]
        x = item_rows(bottom[0].data)
        labels, _ = class_labels(self, bottom[1], items, 1, x.shape[1], (), ())
        self._sign = np.full(x.shape, -1, x.dtype)
        np.put_along_axis(self._sign, labels, 1, axis=1)
        self._slack = np.maximum(0, 1 - self._sign * x)
        losses = self._slack if self.param.hinge_loss_param.norm == 1 else np.square(self._slack)
        self.set_loss(top, float(np.sum(losses, dtype=np.float64)) / max(items, 1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.loss_weight(top) / max(bottom[0].shape[0], 1)
            slope = (self._slack > 0) if self.param.hinge_loss_param.norm == 1 else 2 * self._slack
            bottom[0].diff[...] = (-self._sign * slope * scale).reshape(bottom[0].shape)
