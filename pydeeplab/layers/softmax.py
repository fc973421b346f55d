"""Softmax: probabilities from scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Softmax(Layer):
    """y = exp(x - max x) / sum exp(x - max x) along ``softmax_param.axis``."""

    type = "Softmax"
    repeatable = True
    in_place = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = bottom[0].axis(self.param.softmax_param.axis)
        shape = bottom[0].shape
        self._view = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.kernels.softmax_forward(bottom[0].read().reshape(self._view), top[0].write().reshape(self._view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.kernels.softmax_backward(
                top[0].read().reshape(self._view),
                top[0].read_diff().reshape(self._view),
                bottom[0].write_diff().reshape(self._view),
            )
