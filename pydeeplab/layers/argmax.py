"""ArgMax: the places of the largest values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class ArgMax(Layer):
    """Indices of the ``top_k`` largest values, largest first; of equal values the larger index comes first.

    With ``argmax_param.axis`` along that axis, giving indices or, with ``out_max_val``, values instead. Without, over
    all of an item: N x 1 x top_k indices, or with ``out_max_val`` N x 2 x top_k, the second row being the values.

    Source: Caffe ArgMax.
    """

    type = "ArgMax"
    unpropagated_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.argmax_param
        self.axis = int(param.axis) if param.HasField("axis") else None
        self.top_k = int(param.top_k)
        self.values = bool(param.out_max_val)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if self.axis is None:
            self._view = (shape[0] if shape else 1, math.prod(shape[1:]), 1)
            top[0].reshape(self._view[0], 1 + self.values, self.top_k, *(1,) * (len(shape) - 3))
        else:
            axis = bottom[0].axis(self.axis)
            self._view = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
            top[0].reshape(*shape[:axis], self.top_k, *shape[axis + 1 :])
        if not 1 <= self.top_k <= self._view[1]:
            raise self.error(
                f"argmax_param.top_k must be in 1..{self._view[1]} (the values to choose from), got {self.top_k}"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, _, inner = self._view
        if self.top_k == 1 and not (self.axis is None and self.values):
            self.kernels.argmax_channels(
                bottom[0].read().reshape(self._view), top[0].write().reshape(outer, inner), self.values
            )
            return
        x = bottom[0].data.reshape(self._view)
        reverse = np.argsort(-x[:, ::-1], axis=1, kind="stable")[:, : self.top_k]
        index = self._view[1] - 1 - reverse
        values = np.take_along_axis(x, index, axis=1)
        if self.axis is not None:
            top[0].data[...] = (values if self.values else index).reshape(top[0].shape)
        else:
            rows = (index, values) if self.values else (index,)
            top[0].data[...] = np.stack([r[:, :, 0] for r in rows], axis=1).reshape(top[0].shape)
