"""Upsample: values back to the positions that max pooling took them from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register


class UpsampleBase(Layer):
    """What Upsample and Unpooling share: values, their positions, and zeros elsewhere."""

    bottom_count = (2, 2)
    unpropagated_bottoms = (1,)

    def _check(self, bottom: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise self.shape_error(f"needs a bottom of 4 axes, N x C x H x W, got shape {bottom[0].shape}")
        if len(bottom) > 1 and bottom[1].shape != bottom[0].shape:
            raise self.shape_error(
                f"every value needs its position: bottom 0 has shape {bottom[0].shape}, the mask {bottom[1].shape}. "
                "Use the second top of the pooling layer that this one undoes."
            )

    def _move(self, kernel: Any, *arrays: Any) -> None:
        try:
            kernel(*arrays)
        except DataError as error:
            raise self.error(
                f"{error}. The mask must come from a Pooling layer whose bottom had the height and width of this "
                "layer's top: set upsample_h and upsample_w (unpool_h and unpool_w) to these.",
                DataError,
            ) from None


@register
class Upsample(UpsampleBase):
    """0, but bottom 0's values at the positions in bottom 1, a MAX Pooling's second top; the last of several wins.

    The top's size is upsample_h x upsample_w, or the bottom's times scale (or scale_h, scale_w), less one row or column
    with pad_out_h or pad_out_w.

    Source: SegNet Upsample.
    """

    type = "Upsample"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.upsample_param
        self._size: tuple[int, int] | None = None
        if param.HasField("upsample_h") or param.HasField("upsample_w"):
            if not (param.upsample_h and param.upsample_w):
                raise self.error("give both upsample_h and upsample_w, at least 1")
            self._size = param.upsample_h, param.upsample_w
            return
        split = param.HasField("scale_h"), param.HasField("scale_w")
        if any(split) and (not all(split) or param.HasField("scale")):
            raise self.error("give either scale, or both scale_h and scale_w, or upsample_h and upsample_w")
        self._scale = (param.scale_h, param.scale_w) if any(split) else (param.scale, param.scale)
        if min(self._scale) < 2:
            raise self.error(f"scale must be at least 2, got {self._scale[0]} x {self._scale[1]}")
        self._cut = int(param.pad_out_h), int(param.pad_out_w)
        if any(cut and scale != 2 for cut, scale in zip(self._cut, self._scale, strict=True)):
            raise self.error("pad_out_h and pad_out_w need a scale of 2; use upsample_h and upsample_w instead")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._check(bottom)
        items, channels, height, width = bottom[0].shape
        size = self._size or (height * self._scale[0] - self._cut[0], width * self._scale[1] - self._cut[1])
        top[0].reshape(items, channels, *size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._move(self.kernels.unpool_forward, bottom[0].read(), bottom[1].read(), top[0].write())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._move(self.kernels.unpool_backward, top[0].read_diff(), bottom[1].read(), bottom[0].write_diff())
