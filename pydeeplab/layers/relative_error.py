"""RelativeError: how far one blob is from another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class RelativeError(Layer):
    """sqrt(mean (a - b)^2 / max(mean b^2, 1e-6)), 1 x 1 x 1 x 1.

    Source: DeepLab v1 RELATIVE_ERROR.
    """

    type = "RelativeError"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape != bottom[1].shape:
            raise self.shape_error(f"the bottoms must have one shape, got {bottom[0].shape} and {bottom[1].shape}")
        top[0].reshape(1, 1, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = bottom[0].data, bottom[1].data
        if not a.size:
            top[0].data[...] = 0
            return
        square = np.mean(np.square(a - b), dtype=np.float64)
        scale = max(float(np.mean(np.square(b), dtype=np.float64)), 1e-6)
        top[0].data[...] = math.sqrt(float(square) / scale)
