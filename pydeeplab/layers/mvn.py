"""MVN: every channel of every item to mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class MVN(Layer):
    """y = (x - mean) / (sqrt(variance) + eps), mean and (biased) variance of each channel of each item.

    ``mvn_param.across_channels``: of each item instead. ``normalize_variance: false``: y = x - mean.

    Source: Caffe MVN.
    """

    type = "MVN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.mvn_param
        self._axes = 1 if param.across_channels else 2
        self._eps = float(param.eps)
        self._mean, self._variance = self.new_blob(0), self.new_blob(0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2:
            raise self.shape_error(f"the bottom needs items and channels (N x C x ...), got shape {shape}")
        rows = math.prod(shape[: self._axes])
        self._shape = 1, rows, math.prod(shape[self._axes :])
        self._mean.reshape(rows)
        self._variance.reshape(rows)
        top[0].reshape_like(bottom[0])

    def _set_divisor(self) -> None:
        """Make of the variance what, under a square root, is the layer's divisor."""
        variance = self._variance.data
        if self.param.mvn_param.normalize_variance:
            variance[...] = (variance**0.5 + self._eps) ** 2
        else:
            variance[...] = 1

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].read().reshape(self._shape)
        self.kernels.channel_statistics(x, self._mean.write(), self._variance.write())
        self._set_divisor()
        mean, variance, y = self._mean.read(), self._variance.read(), top[0].write().reshape(self._shape)
        self.kernels.channel_normalize_forward(x, mean, variance, None, None, y, 0.0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dy, dx = top[0].read_diff().reshape(self._shape), bottom[0].write_diff().reshape(self._shape)
        if self.param.mvn_param.normalize_variance:
            x, mean, variance = bottom[0].read().reshape(self._shape), self._mean.read(), self._variance.read()
            self.kernels.channel_normalize_backward(x, dy, mean, variance, None, dx, None, None, 0.0, True)
        else:
            self.kernels.channel_statistics(dy, self._mean.write(), self._variance.write())
            self._set_divisor()
            mean, variance = self._mean.read(), self._variance.read()
            self.kernels.channel_normalize_forward(dy, mean, variance, None, None, dx, 0.0)
