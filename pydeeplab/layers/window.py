"""The sliding window of the convolution family, read from ConvolutionParameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydeeplab.blob import Blob
from pydeeplab.errors import ShapeError
from pydeeplab.layer import Geometry, Layer

__all__ = ["MOST_PIXELS", "Window", "channel_axis", "check_window_sizes", "read_window", "times"]

MOST_PIXELS = 2**24
"""The largest kernel_size, stride, pad or dilation: more than any image has, and far from where products overflow."""


def times(sizes: Sequence[int]) -> str:
    """Sizes as text: ``3 x 3``."""
    return " x ".join(map(str, sizes)) or "no axes"


@dataclass(frozen=True)
class Window:
    """Kernel, stride, pad and dilation per spatial axis, outermost first."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def taps(self) -> int:
        """Pixels of the kernel."""
        return math.prod(self.kernel)

    @property
    def extent(self) -> tuple[int, ...]:
        """Pixels from the first to the last tap, holes included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def single(self) -> bool:
        """Whether every position sees exactly the pixel in its own place."""
        return self.taps == 1 and set(self.stride) <= {1} and not any(self.pad)

    def positions(self, image: Sequence[int]) -> tuple[int, ...]:
        """How often the window fits along each axis of an image; less than 1 where it does not."""
        axes = zip(image, self.extent, self.stride, self.pad, strict=True)
        return tuple((n + 2 * p - e) // s + 1 for n, e, s, p in axes)

    def image(self, positions: Sequence[int]) -> tuple[int, ...]:
        """The smallest image with so many positions: the size of a transposed convolution's output."""
        axes = zip(positions, self.extent, self.stride, self.pad, strict=True)
        return tuple(s * (n - 1) + e - 2 * p for n, e, s, p in axes)

    def planar(self) -> Window:
        """With leading axes of size 1 where there are fewer than two."""
        ones, zeros = ((v,) * max(2 - len(self.kernel), 0) for v in (1, 0))
        return Window(ones + self.kernel, ones + self.stride, zeros + self.pad, ones + self.dilation)

    def geometry(self) -> Geometry | None:
        """What `Layer.geometry` tells about it; None with more than two axes."""
        if len(self.kernel) > 2:
            return None
        w = self.planar()
        (kh, kw), (sh, sw), (ph, pw), (dh, dw) = w.kernel, w.stride, w.pad, w.dilation
        return Geometry((kh, kw), (sh, sw), (ph, pw), (dh, dw))


def check_window_sizes(layer: Layer, sizes: Mapping[str, Sequence[int]]) -> None:
    """Check that each of these fields is at least 1 (pad: 0) and no more than `MOST_PIXELS`."""
    for name, values in sizes.items():
        least = 0 if name == "pad" else 1
        if any(v < least for v in values):
            raise layer.error(f"{name} must be at least {least}, got {times(values)}")
        if any(v > MOST_PIXELS for v in values):
            raise layer.error(f"{name} must be at most {MOST_PIXELS} pixels, got {times(values)}")


def channel_axis(layer: Layer, bottom: Blob) -> int:
    """``convolution_param.axis``, counted from the front."""
    try:
        return bottom.axis(layer.param.convolution_param.axis)
    except ShapeError as error:
        raise layer.shape_error(f"convolution_param.axis: {error}") from None


def _per_axis(layer: Layer, field: str, axes: int, default: int | None) -> tuple[int, ...]:
    """A repeated field given once or once per axis, or its _h and _w."""
    param = layer.param.convolution_param
    stem = field.removesuffix("_size")
    given = list(getattr(param, field))
    split = [f"{stem}_{side}" for side in "hw"]
    if any(name in param.DESCRIPTOR.fields_by_name and param.HasField(name) for name in split):
        if axes != 2:
            raise layer.shape_error(f"{' and '.join(split)} need two spatial axes, the bottom has {axes}. Use {field}.")
        if given:
            raise layer.error(f"give either {field} or {split[0]} and {split[1]}, not both")
        given = [getattr(param, name) for name in split]
    if not given:
        if default is None and axes:
            raise layer.error(f"{field} (or {split[0]} and {split[1]}) is missing")
        given = [1 if default is None else default]
    if len(given) not in (1, axes) and axes:
        raise layer.error(f"{field} must be given once or once per spatial axis ({axes}), got {len(given)} values")
    return tuple(map(int, given * axes if len(given) == 1 else given))


def read_window(layer: Layer, axes: int) -> Window:
    """Read kernel_size, stride, pad and dilation for ``axes`` spatial axes; errors name the layer.

    Raises
    ------
    LayerError
        A field is missing, doubled, or given neither once nor once per axis; kernel, stride or dilation is 0; a value
        is larger than `MOST_PIXELS`.
    """
    kernel = _per_axis(layer, "kernel_size", axes, None)
    stride = _per_axis(layer, "stride", axes, 1)
    pad = _per_axis(layer, "pad", axes, 0)
    dilation = _per_axis(layer, "dilation", axes, 1)
    check_window_sizes(layer, {"kernel_size": kernel, "stride": stride, "pad": pad, "dilation": dilation})
    return Window(kernel, stride, pad, dilation)
