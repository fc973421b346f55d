"""LRN: local response normalisation across or within channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import channel_shape


@register
class LRN(Layer):
    """y = x / (k + alpha / m * sum of x^2 over a window) ^ beta.

    ``norm_region: ACROSS_CHANNELS``: the window is ``local_size`` (odd) channels at one position, m = local_size.
    ``WITHIN_CHANNEL``: it is local_size x local_size positions of one channel, m = local_size^2, and k is 1.

    Source: Caffe LRN; Krizhevsky et al. 2012.
    """

    type = "LRN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.lrn_param
        if param.local_size % 2 == 0:
            raise self.error(f"lrn_param.local_size must be odd, got {param.local_size}")
        self._across = param.norm_region == param.ACROSS_CHANNELS
        self._size, self._alpha, self._beta = int(param.local_size), float(param.alpha), float(param.beta)
        self._k = float(param.k) if self._across else 1.0
        self._s = self.new_blob(0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.shape_error(f"the bottom must be N x C x H x W, got {shape}")
        top[0].reshape_like(bottom[0])
        self._s.reshape_like(bottom[0])
        self._shape = channel_shape(bottom[0]) if self._across else (math.prod(shape[:2]), shape[2], shape[3])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        forward = self.kernels.lrn_across_forward if self._across else self.kernels.lrn_within_forward
        x, y, s = (a.reshape(self._shape) for a in (bottom[0].read(), top[0].write(), self._s.write()))
        forward(x, y, s, self._size, self._alpha, self._beta, self._k)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        backward = self.kernels.lrn_across_backward if self._across else self.kernels.lrn_within_backward
        arrays = bottom[0].read(), top[0].read(), self._s.read(), top[0].read_diff(), bottom[0].write_diff()
        backward(*(a.reshape(self._shape) for a in arrays), self._size, self._alpha, self._beta)
