"""Im2col: what each position of a sliding window sees, as channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Geometry, Layer, register
from pydeeplab.layers.window import channel_axis, read_window, times


@register
class Im2col(Layer):
    """Channels times kernel pixels, at every position of the window; 0 outside the image.

    Source: Caffe Im2col.
    """

    type = "Im2col"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._axis = channel_axis(self, bottom[0])
        axes = len(bottom[0].shape) - self._axis - 1
        if axes < 1:
            raise self.shape_error(f"needs a bottom with axes behind axis {self._axis}, got shape {bottom[0].shape}")
        self.window = read_window(self, axes)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, window = bottom[0].shape, self.window
        lead, channels, image = shape[: self._axis], shape[self._axis], shape[self._axis + 1 :]
        if len(image) != len(window.kernel):
            raise self.shape_error(f"was set up for {len(window.kernel)} spatial axes, got a bottom of shape {shape}")
        positions = window.positions(image)
        if any(n < 1 for n in positions):
            raise self.shape_error(
                f"the kernel covers {times(window.extent)} pixels, more than the bottom's {times(image)} with pad "
                f"{times(window.pad)}. Use a larger input or pad, or a smaller kernel_size or dilation."
            )
        top[0].reshape(*lead, channels * window.taps, *positions)
        axes = (image, positions, window.kernel, window.stride, window.pad, window.dilation)
        self._geometry = np.array(axes, np.int32).T.copy()
        self._image_shape = math.prod(lead), channels, math.prod(image)
        self._column_shape = math.prod(lead), channels * window.taps, math.prod(positions)
        self._planes = None
        if len(image) == 2:
            self._planes = (*self._image_shape[:2], *image), (*self._column_shape[:2], *positions)

    def _run(self, kernel: str, image: NDArray[Any], columns: NDArray[Any]) -> None:
        if self._planes:
            arrays, suffix = [image.reshape(self._planes[0]), columns.reshape(self._planes[1])], ""
            w = self.window
            rest: tuple[Any, ...] = (*w.kernel, *w.stride, *w.pad, *w.dilation)
        else:
            arrays, suffix = [image.reshape(self._image_shape), columns.reshape(self._column_shape)], "_nd"
            rest = (self._geometry,)
        if kernel == "col2im":
            arrays.reverse()
        getattr(self.kernels, kernel + suffix)(*arrays, *rest)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._run("im2col", bottom[0].read(), top[0].write())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._run("col2im", bottom[0].write_diff(), top[0].read_diff())

    @property
    def geometry(self) -> Geometry | None:
        return self.window.geometry()
