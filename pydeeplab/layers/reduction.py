"""Reduction: one number per item from all axes behind a given one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Reduction(Layer):
    """Reduces the axes from ``reduction_param.axis`` (0) on to ``coeff`` times their SUM, ASUM (sum of absolute
    values), SUMSQ (sum of squares) or MEAN. Runs on the host."""

    type = "Reduction"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, axis = bottom[0].shape, self.param.reduction_param.axis
        if not -len(shape) <= axis < max(len(shape), 1):
            raise self.shape_error(f"axis {axis} is out of range for a bottom of shape {shape}")
        axis %= max(len(shape), 1)
        top[0].reshape(*shape[:axis])
        self._matrix = math.prod(shape[:axis]), math.prod(shape[axis:])
        param = self.param.reduction_param
        self._factor = float(param.coeff) / (max(self._matrix[1], 1) if param.operation == param.MEAN else 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.reduction_param
        x = bottom[0].data.reshape(self._matrix)
        if param.operation == param.ASUM:
            x = np.abs(x)
        elif param.operation == param.SUMSQ:
            x = np.square(x, dtype=np.float64)
        top[0].data.reshape(-1)[...] = self._factor * np.sum(x, axis=1, dtype=np.float64)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        param = self.param.reduction_param
        x = bottom[0].data.reshape(self._matrix)
        slope: NDArray[Any] | float = 1.0
        if param.operation == param.ASUM:
            slope = np.sign(x)
        elif param.operation == param.SUMSQ:
            slope = 2 * x
        dy = top[0].diff.reshape(-1, 1)
        bottom[0].diff.reshape(self._matrix)[...] = self._factor * dy * slope
