"""MultinomialLogisticLoss: the loss of given probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._loss import LOG_THRESHOLD, LossLayer, check_label_count, class_labels
from pydeeplab.layers._memory import item_rows


@register
class MultinomialLogisticLoss(LossLayer):
    """L = -sum_n ln max(p_n[label], 1e-20) / N. For scores rather than probabilities use SoftmaxWithLoss.

    Source: Caffe MultinomialLogisticLoss.
    """

    label_bottoms = (1,)
    type = "MultinomialLogisticLoss"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_label_count(self, bottom[0], bottom[1], bottom[0].shape[0], 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items = bottom[0].shape[0]
        p = item_rows(bottom[0].data)
        self._labels, _ = class_labels(self, bottom[1], items, 1, p.shape[1], (), ())
        self._chosen = np.maximum(np.take_along_axis(p, self._labels, axis=1), p.dtype.type(LOG_THRESHOLD))
        self.set_loss(top, -float(np.sum(np.log(self._chosen), dtype=np.float64)) / max(items, 1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            gradient = item_rows(bottom[0].diff)
            gradient[...] = 0
            scale = -self.loss_weight(top) / max(bottom[0].shape[0], 1)
            np.put_along_axis(gradient, self._labels, scale / self._chosen, axis=1)
