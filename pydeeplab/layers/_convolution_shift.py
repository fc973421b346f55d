"""One product of all taps' weights with each pixel, shifted and added: when it pays, and running it.

Taps that would leave the map are left out, which at large rates are many.
"""

from __future__ import annotations

import math
from itertools import groupby, product
from typing import Any

from numpy.typing import NDArray

from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem
from pydeeplab.threads import get_num_threads

__all__ = ["ShiftEngine", "cut_axis", "shift_applies", "shift_cost"]

SCRATCH_ELEMENTS = 6 * 2**20
"""What a pass may use at a time, beside what each thread has: 24 MB."""

PANEL, BLOCK, DEPTH, MOST_PANELS, MOST_ROWS = 16, 6, 256, 16, 1024
"""Pixels, rows and channels that are multiplied at a time, panels of a strip, rows (taps times outputs) of a turn."""

PRODUCT_COST, PIXEL_COST, VALUE_COST, WEIGHT_COST = 1.16, 16.0, 21.0, 20.0
"""What a multiply-add, a pixel of a channel, a product that is added up and a weight cost, where a multiply-add of a
large matrix product costs 1; fitted to measurements."""


def cut_axis(size: int, out: int, pad: int, rate: int, taps: int) -> list[tuple[int, int]]:
    """Runs of neighbouring pixels of an axis that the same taps need: how many pixels, how many taps."""
    needed = [(max(0, (i + pad - out) // rate + 1), min(taps, (i + pad) // rate + 1)) for i in range(size)]
    runs = [(len(list(run)), last - first) for (first, last), run in groupby(needed)]
    return [(pixels, count) for pixels, count in runs if count > 0]


def shift_applies(problem: Problem, operation: str) -> bool:
    """Whether there is an algorithm for this pass of the problem, and scratch enough for a few outputs."""
    window = problem.window
    return (
        operation == "forward"
        and len(window.kernel) == 2
        and window.taps > 1
        and window.stride == (1, 1)
        and problem.group == 1
        and _room(problem, min(problem.outputs, BLOCK)) <= SCRATCH_ELEMENTS
    )


def _room(problem: Problem, outputs: int) -> int:
    """Elements that weights and products of so many outputs take at most."""
    down, across = problem.window.kernel
    panels, regions = math.ceil(math.prod(problem.image) / PANEL), (2 * down + 1) * (2 * across + 1)
    rows = down * across * outputs
    weights = problem.channels * (rows + BLOCK + 2 * PANEL)
    return weights + (panels + regions) * ((rows + BLOCK * down + 1) * PANEL + 8) + 48 * regions + 1024


def shift_cost(problem: Problem) -> float:
    """What a pass costs, in multiply-adds of a large matrix product."""
    window, products, values = problem.window, 0, 0
    axes = zip(problem.image, problem.positions, window.pad, window.dilation, window.kernel, strict=True)
    for (rows, down), (columns, across) in product(*(cut_axis(*axis) for axis in axes)):
        products += math.ceil(rows * columns / PANEL) * PANEL * down * across
        values += rows * columns * down * across
    filled = math.ceil(problem.outputs / BLOCK * window.taps) * BLOCK / window.taps
    image = math.prod(problem.image) * problem.channels
    cost = (
        PRODUCT_COST * products * problem.channels * filled + PIXEL_COST * image + VALUE_COST * values * problem.outputs
    )
    return problem.batch * cost + WEIGHT_COST * window.taps * problem.channels * problem.outputs


class ShiftEngine(ColumnsEngine):
    """Runs the forward pass of one `Problem`; the others through columns."""

    def __init__(self, layer: Any, problem: Problem):
        super().__init__(layer, problem, "strips")
        self._window_arguments = (*problem.window.pad, *problem.window.dilation)

    def _scratch(self) -> NDArray[Any]:
        """Room for the outputs of a turn if they fit into `SCRATCH_ELEMENTS`, at least for one."""
        p = self._problem
        own = PANEL * max(DEPTH * MOST_PANELS, math.ceil(math.prod(p.image) / PANEL))
        outputs = max(1, min(p.outputs, MOST_ROWS // p.window.taps))
        most = max(_room(p, 1), min(SCRATCH_ELEMENTS, _room(p, outputs)))
        return self._workspace.get(get_num_threads() * own + most)

    def _make_map(self, picture: Picture, w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        last = epilogue or Epilogue()
        arrays = picture.x, w, last.scale, last.shift_with(bias), picture.y
        self._kernels.shift_forward(*arrays, self._scratch(), *self._window_arguments, last.relu, last.slope)
