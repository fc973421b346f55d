"""Interp: bilinear resizing with aligned corners."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.errors import UnsupportedError
from pydeeplab.layer import Layer, register


@register
class Interp(Layer):
    """Bilinear interpolation of N x C x H x W, corner on corner, of the image or of what negative pads leave of it.

    With e = size + pad_beg + pad_end and integer division, the output size is, by the fields that are given:
    (e - 1) / shrink_factor + 1 for only shrink_factor; e + (e - 1) (zoom_factor - 1) for only zoom_factor; height and
    width; or shrink followed by zoom.

    ``is_label`` may be set on layers that resize label maps: they then take the nearest value rather than blend class
    numbers, and have no gradient. Where (e - 1) is a multiple of shrink_factor this changes nothing.

    Source: DeepLab Interp.
    """

    type = "Interp"
    repeatable = True
    is_label: bool = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.interp_param
        if param.pad_beg > 0 or param.pad_end > 0:
            raise self.error(
                f"interp_param.pad_beg and pad_end only crop: they must be 0 or negative, got {param.pad_beg} and "
                f"{param.pad_end}. Use a Padding layer to add a border."
            )
        for name in ("shrink_factor", "zoom_factor"):
            if getattr(param, name) < 1:
                raise self.error(f"interp_param.{name} must be at least 1, got {getattr(param, name)}")
        self._shrink, self._zoom = param.HasField("shrink_factor"), param.HasField("zoom_factor")
        self._size = param.HasField("height") and param.HasField("width")
        if not (self._shrink or self._zoom or self._size):
            raise self.error("interp_param needs shrink_factor, zoom_factor, both, or height and width")
        self._warned = False

    def _out(self, axis_name: str, size: int) -> tuple[int, int]:
        """Size of the window and of the output along one axis."""
        param = self.param.interp_param
        window = size + param.pad_beg + param.pad_end
        if window < 1:
            raise self.shape_error(f"pads {param.pad_beg} and {param.pad_end} leave nothing of {axis_name} {size}")
        if self._size and self._shrink == self._zoom:
            out = int(getattr(param, axis_name))
        else:
            shrunk = (window - 1) // param.shrink_factor + 1 if self._shrink else window
            out = shrunk + (shrunk - 1) * (param.zoom_factor - 1) if self._zoom else shrunk
        if out < 1:
            raise self.shape_error(f"the output's {axis_name} must be at least 1, got {out}")
        return window, out

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise self.shape_error(f"needs a bottom of 4 axes, N x C x H x W, got shape {bottom[0].shape}")
        items, channels, height, width = bottom[0].shape
        (self._height, out_height), (self._width, out_width) = self._out("height", height), self._out("width", width)
        top[0].reshape(items, channels, out_height, out_width)

    def _window(self) -> tuple[int, int, int, int]:
        start = -self.param.interp_param.pad_beg
        return start, start, self._height, self._width

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.is_label:
            self._warn_of_remainder()
        resize = self.kernels.interp_nearest_forward if self.is_label else self.kernels.interp_forward
        resize(_planes(bottom[0], bottom[0].read()), _planes(top[0], top[0].write()), *self._window())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.is_label:
            raise self.error("resizes labels, which have no gradient", UnsupportedError)
        self.kernels.interp_backward(
            _planes(top[0], top[0].read_diff()), _planes(bottom[0], bottom[0].write_diff()), *self._window()
        )

    def _warn_of_remainder(self) -> None:
        factor = self.param.interp_param.shrink_factor
        odd = [size for size in (self._height, self._width) if self._shrink and (size - 1) % factor]
        if odd and not self._warned:
            self._warned = True
            good = (odd[0] - 1) // factor * factor + 1
            warnings.warn(
                f"layer '{self.name}' (Interp): labels of size {odd[0]} do not shrink evenly by {factor}; the nearest "
                f"labels are taken. Sizes of k * {factor} + 1, such as {good} or {good + factor}, keep labels and "
                "scores aligned.",
                stacklevel=2,
            )


def _planes(blob: Blob, array):  # type: ignore[no-untyped-def]
    items, channels, height, width = blob.shape
    return array.reshape(items * channels, height, width)
