"""SoftmaxWithLoss: softmax and the multinomial logistic loss in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._loss import VALID, bad_label
from pydeeplab.layers._softmax_loss import SoftmaxLossLayer


@register
class SoftmaxWithLoss(SoftmaxLossLayer):
    """L = -sum w_l ln p_l / Z over the labels l that are not ignored, p = softmax of the scores.

    ``loss_param``: ``ignore_label`` and ``ignore_labels``; ``normalization`` of Z: FULL (all positions), VALID (those
    not ignored; default), BATCH_SIZE, NONE (1), at least 1 each. With ``class_weight`` or ``weight_source``, VALID
    divides by the sum of the weights, as DeepLab v1 does; with ``weight_by_label_freqs`` and ``class_weighting``, by
    the number of positions, as SegNet does. Where nothing is valid, the loss is 0. A second top gets the probabilities.

    Raises
    ------
    DataError
        A label is neither ignored nor in 0..C-1; the message gives item, pixel and value.

    Source: Caffe SoftmaxWithLoss; DeepLab v1 SOFTMAX_LOSS.
    """

    type = "SoftmaxWithLoss"

    @property
    def class_axis(self) -> int:
        return int(self.param.softmax_param.axis)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        backend = self.context.backend
        self._ignore = Blob((len(self.ignored),), backend=backend, dtype=np.int32)
        self._ignore.data[...] = sorted(self.ignored)
        self._sums = Blob((4,), backend=backend, dtype=np.float64)
        self._weights: Blob | None = None
        weights = self._class_weights()
        if weights:
            classes = bottom[0].shape[bottom[0].axis(self.class_axis)]
            if len(weights) != classes:
                raise self.error(f"there are {len(weights)} class weights for {classes} classes; give one for each")
            if min(weights) < 0:
                raise self.error(f"class weights must not be negative, got {min(weights):g}")
            self._weights = self.new_blob(len(weights))
            self._weights.data[...] = weights

    def _class_weights(self) -> list[float]:
        loss = self.param.loss_param
        self._divide_by_weights = True
        given = [n for n, v in (("class_weight", loss.class_weight), ("weight_source", loss.weight_source)) if v]
        if loss.weight_by_label_freqs:
            given.append("weight_by_label_freqs")
        if len(given) > 1:
            raise self.error(f"loss_param has {' and '.join(given)}; class weights may come from one of them only")
        if loss.weight_by_label_freqs:
            self._divide_by_weights = False
            if not loss.class_weighting:
                raise self.error("loss_param.weight_by_label_freqs needs class_weighting, one number per class")
            return list(loss.class_weighting)
        if not loss.weight_source:
            return list(loss.class_weight)
        try:
            with open(loss.weight_source, encoding="utf-8") as file:
                weights = [float(word) for word in file.read().split()]
        except OSError as error:
            raise self.error(f"cannot read loss_param.weight_source: {error}", DataError) from None
        except ValueError as error:
            raise self.error(
                f"loss_param.weight_source '{loss.weight_source}' must hold one number per class: {error}", DataError
            ) from None
        if not weights:
            raise self.error(f"loss_param.weight_source '{loss.weight_source}' holds no weights", DataError)
        return weights

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self._view
        self.kernels.softmax_loss_forward(
            bottom[0].read().reshape(self._view),
            bottom[1].read().reshape(outer, inner),
            self._weights and self._weights.read(),
            self._ignore.read(),
            self._probability.write().reshape(self._view),
            self._sums.write(),
        )
        loss, weight, used, bad = self._sums.data.tolist()
        if bad >= 0:
            value = float(bottom[1].data.reshape(-1)[int(bad)])
            raise bad_label(self, value, int(bad), self._spatial, classes, self.ignored)
        if self._weights and self._divide_by_weights and self.normalization == VALID:
            self._z = weight or 1.0
        else:
            self._z = self.divisor(self.normalization, outer, inner, used)
        self.set_loss(top, loss / self._z)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        outer, _, inner = self._view
        self.kernels.softmax_loss_backward(
            self._probability.read().reshape(self._view),
            bottom[1].read().reshape(outer, inner),
            self._weights and self._weights.read(),
            self._ignore.read(),
            bottom[0].write_diff().reshape(self._view),
            self.loss_weight(top) / self._z,
        )
