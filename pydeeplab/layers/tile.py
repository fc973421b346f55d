"""Tile: a blob repeated along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Tile(Layer):
    """Repeats the bottom ``tile_param.tiles`` times along ``axis`` (1 unless given); gradients are summed."""

    type = "Tile"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.tile_param.tiles <= 0:
            raise self.error(f"tile_param.tiles must be positive, got {self.param.tile_param.tiles}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, axis = bottom[0].shape, self.param.tile_param.axis
        if not -len(shape) <= axis < len(shape):
            raise self.shape_error(f"axis {axis} is out of range for a bottom of shape {shape}")
        axis %= len(shape)
        self._tiles = int(self.param.tile_param.tiles)
        self._rows, self._width = math.prod(shape[:axis]), math.prod(shape[axis:])
        top[0].reshape(*shape[:axis], shape[axis] * self._tiles, *shape[axis + 1 :])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows, width = self._rows, self._width
        x = bottom[0].read().reshape(1, rows, width)
        y = top[0].write().reshape(1, rows, width * self._tiles)
        for tile in range(self._tiles):
            self.kernels.copy_window(x, y, 0, 0, 0, tile * width, rows, width)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        rows, width = self._rows, self._width
        dx = bottom[0].write_diff().reshape(1, rows, width)
        dy = top[0].read_diff().reshape(1, rows, width * self._tiles)
        part = self.context.workspace.get(rows * width)
        self.kernels.copy_window(dy, dx, 0, 0, 0, 0, rows, width)
        for tile in range(1, self._tiles):
            self.kernels.copy_window(dy, part.reshape(1, rows, width), 0, tile * width, 0, 0, rows, width)
            self.kernels.axpby(part, dx.reshape(-1), 1.0, 1.0)
