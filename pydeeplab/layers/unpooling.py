"""Unpooling: the reverse of pooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import UnsupportedError
from pydeeplab.layer import register
from pydeeplab.layers.pooling_window import read_pair, read_pooling_window
from pydeeplab.layers.upsample import UpsampleBase


@register
class Unpooling(UpsampleBase):
    """MAX: values go where bottom 1 (a pooling's second top) says, or without it to the first pixel of their window.

    AVE: values are spread evenly over their window; windows that overlap add up. The top's size is unpool_size (or
    unpool_h and unpool_w); without these the larger of (size - 1) stride + kernel_size and size stride + 1.

    Source: DeconvNet Unpooling (Noh et al. 2015).
    """

    type = "Unpooling"
    bottom_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.unpooling_param
        if param.unpool not in (param.MAX, param.AVE):
            raise self.error("only MAX and AVE unpooling exist", UnsupportedError)
        self._average = param.unpool == param.AVE
        self._window = read_pooling_window(self, param)
        if any(self._window.pad):
            raise self.error("pad must be 0")
        self._size = read_pair(self, param, "unpool_size", None)
        if self._size and min(self._size) < 1:
            raise self.error(f"unpool_size must be at least 1, got {self._size[0]} x {self._size[1]}")
        if self._average and len(bottom) > 1:
            raise self.error("AVE unpooling takes no mask; remove the second bottom")
        self._corners = self.new_blob(0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._check(bottom)
        shape, (kernel, stride) = bottom[0].shape, (self._window.kernel, self._window.stride)
        found = [max((n - 1) * s + k, n * s + 1) for n, k, s in zip(shape[2:], kernel, stride, strict=True)]
        height, width = self._size or found
        top[0].reshape(*shape[:2], height, width)
        if not self._average and len(bottom) == 1:
            rows = np.minimum(np.arange(shape[2]) * stride[0], height - 1)
            columns = np.minimum(np.arange(shape[3]) * stride[1], width - 1)
            self._corners.reshape(*shape)
            self._corners.data[...] = rows[:, None] * width + columns

    def _positions(self, bottom: Sequence[Blob]) -> Blob:
        return bottom[1] if len(bottom) > 1 else self._corners

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].read(), top[0].write()
        if self._average:
            self.kernels.ave_pool_backward(x, y, *self._window.arguments)
        else:
            self._move(self.kernels.unpool_forward, x, self._positions(bottom).read(), y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dy, dx = top[0].read_diff(), bottom[0].write_diff()
        if self._average:
            self.kernels.ave_pool_forward(dy, dx, *self._window.arguments)
        else:
            self._move(self.kernels.unpool_backward, dy, self._positions(bottom).read(), dx)
