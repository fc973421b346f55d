"""InfogainLoss: a softmax loss in which classes have a matrix of gains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._loss import LOG_THRESHOLD, class_labels
from pydeeplab.layers._softmax_loss import SoftmaxLossLayer
from pydeeplab.proto import caffe_pb2


@register
class InfogainLoss(SoftmaxLossLayer):
    """L = -sum over positions and classes k of H[label, k] ln p_k / Z, p = softmax of the scores.

    H comes from the third bottom or, as a BlobProto, from ``infogain_loss_param.source``. Ignoring and normalising are
    those of ``loss_param``. A second top gets the probabilities.

    Source: Caffe InfogainLoss (the version that takes scores).
    """

    type = "InfogainLoss"
    bottom_count = (2, 3)
    unpropagated_bottoms = (1, 2)

    @property
    def class_axis(self) -> int:
        return int(self.param.infogain_loss_param.axis)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self._source = None if len(bottom) == 3 else self._read(self.param.infogain_loss_param.source)

    def _read(self, path: str) -> np.ndarray:
        if not path:
            raise self.error("needs the infogain matrix: a third bottom or infogain_loss_param.source")
        message = caffe_pb2.BlobProto()
        try:
            with open(path, "rb") as file:
                message.ParseFromString(file.read())
        except OSError as error:
            raise self.error(f"cannot read infogain_loss_param.source: {error}", DataError) from None
        except Exception as error:  # protobuf's own DecodeError, whose place differs between versions
            raise self.error(f"infogain_loss_param.source '{path}' is no BlobProto: {error}", DataError) from None
        return np.array(message.double_data or message.data, np.float64)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        classes = self._view[1]
        gains = bottom[2].count if self._source is None else self._source.size
        if gains != classes**2:
            raise self.shape_error(f"the infogain matrix needs {classes} x {classes} values, got {gains}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self._view
        self.kernels.softmax_forward(
            bottom[0].read().reshape(self._view), self._probability.write().reshape(self._view)
        )
        labels, self._used = class_labels(self, bottom[1], outer, inner, classes, self.ignored, self._spatial)
        matrix = (bottom[2].data if self._source is None else self._source).reshape(classes, classes)
        gains = matrix[np.where(self._used, labels, 0)].transpose(0, 2, 1)  # outer, classes, inner
        self._gains = np.where(self._used[:, None], gains, 0).astype(self.context.dtype)
        logarithms = np.log(np.maximum(self._probability.data.reshape(self._view), LOG_THRESHOLD))
        self._z = self.divisor(self.normalization, outer, inner, int(self._used.sum()))
        self.set_loss(top, -float(np.sum(self._gains * logarithms, dtype=np.float64)) / self._z)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            probability = self._probability.data.reshape(self._view)
            gradient = self._gains.sum(axis=1, keepdims=True) * probability - self._gains
            bottom[0].diff[...] = (gradient * (self.loss_weight(top) / self._z)).reshape(bottom[0].shape)
