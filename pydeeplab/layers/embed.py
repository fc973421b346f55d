"""Embed: rows of a learned table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register
from pydeeplab.layers._weights import add_weights


@register
class Embed(Layer):
    """y[...] = W[x[...]] + b for whole numbers x in 0..input_dim-1; W is input_dim x num_output.

    Raises
    ------
    DataError
        An index is out of range.

    Source: Caffe Embed.
    """

    type = "Embed"
    unpropagated_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.embed_param
        for name in ("num_output", "input_dim"):
            if getattr(param, name) < 1:
                raise self.error(f"embed_param.{name} must be at least 1, got {getattr(param, name)}")
        add_weights(self, param, (param.input_dim, param.num_output), param.num_output)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape, self.param.embed_param.num_output)

    def _indices(self, bottom: Sequence[Blob]) -> NDArray[np.int64]:
        values = bottom[0].data.reshape(-1)
        rows = self.blobs[0].shape[0]
        bad = ~((values > -1) & (values < rows))
        if bad.any():
            index = int(np.argmax(bad))
            raise self.error(
                f"index {values[index]:g} (element {index}) is not in 0..{rows - 1} (input_dim)", DataError
            )
        return values.astype(np.int64)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = top[0].data.reshape(-1, self.blobs[0].shape[1])
        np.take(self.blobs[0].data, self._indices(bottom), axis=0, out=rows)
        if len(self.blobs) > 1:
            rows += self.blobs[1].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        gradient = top[0].diff.reshape(-1, self.blobs[0].shape[1])
        if self.param_propagate_down[0]:
            np.add.at(self.blobs[0].diff, self._indices(bottom), gradient)
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            self.blobs[1].diff[...] += gradient.sum(axis=0)
