"""The window of pooling layers, read from PoolingParameter or UnpoolingParameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydeeplab.layer import Layer
from pydeeplab.layers._window import check_window_sizes

__all__ = ["PoolingWindow", "read_pair", "read_pooling_window"]


@dataclass(frozen=True)
class PoolingWindow:
    """Kernel, stride and pad for height and width."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]

    @property
    def arguments(self) -> tuple[int, ...]:
        """In the order of the kernels."""
        return (*self.kernel, *self.stride, *self.pad)

    def pooled(self, image: tuple[int, int], floor: bool = False) -> tuple[int, int]:
        """The output size: rounded up (or down), less a last window that would start beyond image and padding."""
        sizes = []
        for n, k, s, p in zip(image, self.kernel, self.stride, self.pad, strict=True):
            room = n + 2 * p - k
            size = (room // s if floor else -(-room // s)) + 1
            sizes.append(size - 1 if any(self.pad) and (size - 1) * s >= n + p else size)
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
    """Read kernel_size, stride and pad; errors name the layer.

    Raises
    ------
    LayerError
        A field is missing or doubled, kernel or stride is 0, a value is beyond all reason, or pad is not smaller than
        kernel.
    """
    kernel, stride, pad = (read_pair(layer, param, f, d) for f, d in (("kernel_size", None), ("stride", 1), ("pad", 0)))
    if kernel is None:
        raise layer.error("kernel_size (or kernel_h and kernel_w) is missing")
    assert stride is not None
    assert pad is not None
    check_window_sizes(layer, {"kernel_size": kernel, "stride": stride, "pad": pad})
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        raise layer.error(
            f"pad must be smaller than the kernel, or windows would see padding only: got pad {pad[0]} x {pad[1]} with "
            f"kernel {kernel[0]} x {kernel[1]}"
        )
    return PoolingWindow(kernel, stride, pad)
