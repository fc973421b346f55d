"""SigmoidCrossEntropyLoss: independent logistic losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._loss import BATCH_SIZE, LossLayer, normalization_of


@register
class SigmoidCrossEntropyLoss(LossLayer):
    """L = -sum (t ln s(x) + (1 - t) ln(1 - s(x))) / Z with the logistic function s and targets t in [0, 1].

    Targets that, truncated, equal ``loss_param.ignore_label`` take no part. Z is the number of items unless
    ``loss_param`` says otherwise.

    Source: Caffe SigmoidCrossEntropyLoss.
    """

    type = "SigmoidCrossEntropyLoss"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        loss = self.param.loss_param
        self.ignored = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalization = normalization_of(loss, default=BATCH_SIZE)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.must_match(bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, t = bottom[0].data, bottom[1].data.reshape(bottom[0].shape)
        losses = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        self._used = np.ones(x.shape, bool) if self.ignored is None else np.trunc(t) != self.ignored
        items = bottom[0].shape[0]
        self._z = self.divisor(self.normalization, items, x.size // max(items, 1), int(self._used.sum()))
        self.set_loss(top, np.sum(losses, where=self._used, dtype=np.float64) / self._z)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, t = bottom[0].data, bottom[1].data.reshape(bottom[0].shape)
            small = np.exp(-np.abs(x))
            probability = np.where(x >= 0, 1, small) / (1 + small)
            bottom[0].diff[...] = np.where(self._used, (probability - t) * (self.loss_weight(top) / self._z), 0)
