"""From pixels to the numbers that a net reads: less the mean, times a scale, mirrored, in planes.

A `Window` says which pixels are meant, and needs no arithmetic; what a net makes of them, a `PixelTransform` computes
with the kernels of the backend where the numbers are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend

__all__ = ["PixelTransform", "Window"]


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, as large as what it is to fill.

    Attributes
    ----------
    pixels : array
        The picture or a part of it: uint8 (H, W, C), C-contiguous; or, ``in_planes``, the window itself, uint8 or
        float32 (C, h, w) in the net's order of channels.
    row, column : int
        The window's top left corner in ``pixels``, which it may exceed at the bottom and right; 0 for planes.
    mirror : bool
        Whether left and right are to be exchanged.
    in_planes : bool
    origin : (int, int)
        Where ``pixels`` begin in the picture: row and column.
    label : (H, W) array of integers, optional
        The label map that belongs to ``pixels``.
    ignore_label : int
        The label of what lies outside.
    """

    pixels: NDArray[Any]
    row: int = 0
    column: int = 0
    mirror: bool = False
    in_planes: bool = False
    origin: tuple[int, int] = (0, 0)
    label: NDArray[Any] | None = None
    ignore_label: int = 255

    def cut(self, height: int, width: int) -> Window:
        """The same with no pixels outside a window of that size, and no label map; the pixels are a view."""
        rows, columns = slice(self.row, self.row + height), slice(self.column, self.column + width)
        pixels = self.pixels[:, rows, columns] if self.in_planes else self.pixels[rows, columns]
        return replace(self, pixels=pixels, row=0, column=0, origin=self.corner, label=None)

    @property
    def corner(self) -> tuple[int, int]:
        """The window's top left corner in the picture: row and column."""
        return self.origin[0] + self.row, self.origin[1] + self.column

    def label_fits(self, dtype: np.dtype[Any]) -> bool:
        """Whether an array of this type of integers can hold all labels."""
        assert self.label is not None
        ends = [self.ignore_label] if self.label.dtype == dtype else [self.ignore_label, *_range(self.label)]
        return np.iinfo(dtype).min <= min(ends) <= max(ends) <= np.iinfo(dtype).max

    def place_label(self, out: NDArray[Any]) -> None:
        """Write the window of the label map to ``out`` (h, w), and ``ignore_label`` where there is none."""
        assert self.label is not None
        window = self.label[self.row : self.row + out.shape[0], self.column : self.column + out.shape[1]]
        target = out[:, ::-1] if self.mirror else out
        if window.shape != out.shape:
            out[...] = self.ignore_label
        target[: window.shape[0], : window.shape[1]] = window


class PixelTransform:
    """The arithmetic of Caffe's DataTransformer, by the kernels of one backend.

    Parameters
    ----------
    backend : Backend
        Where the results are wanted. On a device, what it needs for long is sent there now.
    mean : (C,) float64 array
        Subtracted per channel, in the net's order of channels.
    scale : float
        Factor after the mean.
    reverse : bool
        Whether the net's channels come in the reverse order of a picture's (blue first).
    mean_image : (C, M, N) float32 array, optional
        In place of ``mean``: a mean for each pixel of the whole picture.

    Notes
    -----
    Pictures with a mean per channel are computed in double precision and rounded once, as DeepLab's ImageSegData does;
    planes, and pictures with a mean image, in single precision, as Caffe's Data does.
    """

    def __init__(
        self,
        backend: Backend,
        mean: NDArray[np.float64],
        scale: float,
        *,
        reverse: bool,
        mean_image: NDArray[np.float32] | None = None,
    ):
        self.backend = backend
        self._scale, self._reverse = scale, reverse
        self._by_pixel = mean_image is not None
        planes = mean[:, None, None] if mean_image is None else mean_image
        self._mean, self._none = backend.from_host(mean), backend.from_host(np.zeros_like(mean))
        self._mean_planes = backend.from_host(np.ascontiguousarray(planes, np.float32))

    def __call__(self, window: Window, blob: NDArray[Any]) -> None:
        """Write what the net reads of a window to ``blob`` (C, h, w), where the backend's kernels reach it.

        Outside the picture that is 0. The window's pixels may lie on the host or on the device.
        """
        if not (window.in_planes or self._by_pixel):
            self._place(window, blob, self._mean, self._scale)
            return
        if not window.in_planes:
            self._place(window, blob, self._none, 1)
        elif window.pixels.dtype == np.uint8:
            self.widen(window.pixels, blob, window.mirror)
        else:
            blob[...] = window.pixels[:, :, ::-1] if window.mirror else window.pixels
        subtract = self.backend.kernels.image_subtract_mean
        subtract(self._mean_planes, blob, *window.corner, window.mirror, self._scale)

    def _place(self, window: Window, blob: NDArray[Any], mean: NDArray[Any], scale: float) -> None:
        self.backend.kernels.image_to_blob(
            window.pixels, mean, blob, window.row, window.column, window.mirror, self._reverse, scale
        )

    def widen(self, values: NDArray[np.uint8], blob: NDArray[Any], mirror: bool = False) -> None:
        """Write bytes of any shape to a blob of that shape as they are; ``mirror`` turns the last axis round."""
        width = values.shape[-1]
        values = values if values.flags.c_contiguous else values.copy()
        lines, planes = values.reshape(-1, width, 1), blob.reshape(1, -1, width)
        self.backend.kernels.image_to_blob(lines, self._none[:1], planes, 0, 0, mirror, False, 1)


def _range(values: NDArray[Any]) -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if values.size else (0, 0)
