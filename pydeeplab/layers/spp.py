"""SPP: spatial pyramid pooling to a vector of fixed length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import item_rows
from pydeeplab.layers.pooling import Pooling


@register
class SPP(Layer):
    """Pooling over 1 x 1, 2 x 2, 4 x 4, ... bins, flattened and joined: N x (C times the number of bins).

    With ``pyramid_height: 1`` the top stays N x C x 1 x 1, as in Caffe. A level of B x B bins pools with kernel and
    stride ceil(size / B) and pad (B kernel - size + 1) // 2.

    Source: Caffe SPP; He et al. 2014.
    """

    type = "SPP"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.spp_param.pyramid_height < 1:
            raise self.error("pyramid_height must be at least 1")
        self._pools: list[Pooling] = []
        self._pooled: list[Blob] = []
        self._image: tuple[int, ...] = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or min(shape[2:]) < 1:
            raise self.shape_error(f"needs a bottom of 4 axes, N x C x H x W, with pixels, got shape {shape}")
        height = int(self.param.spp_param.pyramid_height)
        if shape[2:] != self._image:
            pooled: list[Blob] = []
            pools = []
            for level in range(height):
                pooled.append(self.new_blob(0))
                pools.append(self._level(level, bottom[0], pooled[-1]))
            self._image, self._pooled, self._pools = shape[2:], pooled, pools
        for pool, blob in zip(self._pools, self._pooled, strict=True):
            pool.reshape(bottom, [blob])
        if height == 1:
            top[0].reshape_like(self._pooled[0])
        else:
            top[0].reshape(shape[0], sum(shape[1] * p.shape[2] * p.shape[3] for p in self._pooled))

    def _level(self, level: int, bottom: Blob, pooled: Blob) -> Pooling:
        """The pooling over 2**level bins per axis."""
        bins = 2**level
        param = type(self.param)()
        param.name, param.type = self.name, self.type
        pooling: Any = param.pooling_param
        pooling.pool = self.param.spp_param.pool
        for side, size in zip("hw", bottom.shape[2:], strict=True):
            kernel = -(-size // bins)
            pad = (kernel * bins - size + 1) // 2
            if pad >= kernel:
                raise self.shape_error(
                    f"an image of {bottom.shape[2]} x {bottom.shape[3]} is too small for {bins} x {bins} bins. Use a "
                    "smaller pyramid_height or a larger input."
                )
            for field, value in (("kernel", kernel), ("stride", kernel), ("pad", pad)):
                setattr(pooling, f"{field}_{side}", value)
        pool = Pooling(param, self.context)
        pool.setup([bottom], [pooled])
        return pool

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for pool, blob in zip(self._pools, self._pooled, strict=True):
            pool.forward(bottom, [blob])
        parts = [item_rows(blob.data) for blob in self._pooled]
        item_rows(top[0].data)[...] = np.concatenate(parts, axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        gradient = item_rows(top[0].diff)
        total = np.zeros_like(bottom[0].diff)
        start = 0
        for pool, blob in zip(self._pools, self._pooled, strict=True):
            part = item_rows(blob.diff)
            part[...] = gradient[:, start : start + part.shape[1]]
            start += part.shape[1]
            pool.backward([blob], [True], bottom)
            total += bottom[0].diff
        bottom[0].diff[...] = total
