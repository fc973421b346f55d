"""Convolution as one matrix product whose columns are made while they are packed."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from pydeeplab.layers._convolution_columns import ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue
from pydeeplab.threads import get_num_threads

__all__ = ["PackedEngine"]

PANEL, BLOCK, DEPTH = 16, 6, 256
"""Positions, outputs and terms that the product takes at a time."""

STRIP_PRODUCTS = 2**16
"""Products that a thread keeps near, in strips of 4 to 16 panels."""


class PackedEngine(ColumnsEngine):
    """Runs the forward pass of one `Problem`; the others through columns."""

    takes_sums = True

    @property
    def _room(self) -> int:
        p = self._problem
        depth = p.channels // p.group * p.window.taps
        outputs = math.ceil(p.outputs / p.group / BLOCK) * BLOCK
        strip = PANEL * max(4, min(16, STRIP_PRODUCTS // (outputs * PANEL)))
        return p.group * outputs * depth + get_num_threads() * strip * (min(depth, DEPTH) + outputs)

    def image_to_map(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any] | None,
        y: NDArray[Any],
        epilogue: Epilogue | None = None,
    ) -> None:
        last = epilogue or Epilogue()
        other = None if last.other is None else self._map(last.other)
        arrays = self._image(x), self._weights(w), last.scale, last.shift_with(bias), other, self._map(y)
        work = self._workspace.get(self._room)
        self._kernels.conv_forward_packed(*arrays, work, *self._plane, self._problem.group, last.relu, last.slope)
