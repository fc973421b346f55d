"""The window of pooling layers, read from PoolingParameter or UnpoolingParameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydeeplab.layer import Layer
from pydeeplab.layers.window import check_window_sizes

__all__ = ["PoolingWindow", "read_pair", "read_pooling_window"]


@dataclass(frozen=True)
class PoolingWindow:
    """Kernel, stride, pad and dilation for height and width.

    ``overhang`` is how far the last window may reach beyond image and padding; None stands for stride - 1 each.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    overhang: tuple[int, int] | None = None

    @property
    def arguments(self) -> tuple[int, ...]:
        """In the order of the kernels."""
        return (*self.kernel, *self.stride, *self.pad, *self.dilation)

    @property
    def extent(self) -> tuple[int, int]:
        """Pixels from the first to the last of a window, holes included."""
        height, width = (d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return height, width

    def pooled(self, image: tuple[int, int]) -> tuple[int, int]:
        """The output size: as many windows as fit, without those that would start beyond image and padding."""
        sizes = []
        beyond = self.overhang or tuple(s - 1 for s in self.stride)
        for n, e, s, p, o in zip(image, self.extent, self.stride, self.pad, beyond, strict=True):
            size = (n + 2 * p - e + o) // s + 1
            sizes.append(min(size, -(-(n + p) // s)) if any(self.pad) else size)
        return sizes[0], sizes[1]


def read_pair(layer: Layer, param: Any, field: str, default: int | None) -> tuple[int, int] | None:
    """A field given once or as its _h and _w; the default (None where there is none) if it is given neither way."""
    stem = field.removesuffix("_size")
    sides = [f"{stem}_h", f"{stem}_w"]
    split = [param.HasField(name) for name in sides]
    if any(split):
        if param.HasField(field):
            raise layer.error(f"give either {field} or {sides[0]} and {sides[1]}, not both")
        if not all(split):
            raise layer.error(f"{sides[0]} and {sides[1]} belong together: {sides[split.index(False)]} is missing")
        return getattr(param, sides[0]), getattr(param, sides[1])
    if param.HasField(field):
        return (getattr(param, field),) * 2
    return None if default is None else (default, default)


def read_pooling_window(layer: Layer, param: Any) -> PoolingWindow:
    """Read kernel_size, stride, pad and, where there are such fields, dilation, round_mode and overhang.

    Raises
    ------
    LayerError
        A field is missing or doubled, kernel, stride or dilation is 0, a value is beyond all reason, or pad is not
        smaller than the window. The message names the layer.
    """
    kernel, stride, pad = (read_pair(layer, param, f, d) for f, d in (("kernel_size", None), ("stride", 1), ("pad", 0)))
    if kernel is None:
        raise layer.error("kernel_size (or kernel_h and kernel_w) is missing")
    assert stride is not None
    assert pad is not None
    dilation = _once_or_twice(layer, "dilation", getattr(param, "dilation", ())) or (1, 1)
    overhang = _overhang(layer, param)
    check_window_sizes(layer, {"kernel_size": kernel, "stride": stride, "pad": pad, "dilation": dilation})
    check_window_sizes(layer, {"overhang": [max(o, 1) for o in overhang or ()]})
    window = PoolingWindow(kernel, stride, pad, dilation, overhang)
    if any(p >= e for p, e in zip(pad, window.extent, strict=True)):
        raise layer.error(
            f"pad must be smaller than the kernel, or windows would see padding only: got pad {pad[0]} x {pad[1]} with "
            f"kernel {window.extent[0]} x {window.extent[1]}"
        )
    return window


def _once_or_twice(layer: Layer, field: str, given: Sequence[int]) -> tuple[int, int] | None:
    if len(given) > 2:
        raise layer.error(f"{field} must be given once or as height and width, got {len(given)} values")
    return (given[0], given[-1]) if given else None


def _overhang(layer: Layer, param: Any) -> tuple[int, int] | None:
    if "overhang" not in param.DESCRIPTOR.fields_by_name:
        return None
    floor = (0, 0) if param.round_mode == param.FLOOR else None
    return _once_or_twice(layer, "overhang", param.overhang) or floor
