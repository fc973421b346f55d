"""Winograd's algorithm for 3 x 3 taps at stride 1: when it pays, and running it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem
from pydeeplab.threads import get_num_threads

__all__ = ["TILES", "WinogradEngine", "choose_tile", "count_tiles", "winograd_applies", "winograd_cost"]

TILES = (2, 3, 4, 6)
"""Outputs per side of a tile."""

SCRATCH_ELEMENTS = 10 * 2**20
"""What a pass may use at a time unless a single row of tiles needs more: 40 MB."""

OUTPUTS_AT_ONCE = 96
"""Outputs whose transformed filters are in memory at a time, unless all of them are small."""

PANEL = 16
"""Tiles that are multiplied together; the last panel is filled up."""

BLOCK = 6
"""Outputs that are multiplied together."""

RUN = 64
"""Tiles that the gradient of the weights sums at a time, or a row of tiles if that is more."""

GRADIENT_OUTPUTS = 24
"""Fewest outputs whose gradients are summed at a time."""

LANES = 8
"""Channels or outputs whose tiles are transformed together."""

PRODUCT_COST, TRANSFORM_COST, FILTER_COST, PIXEL_COST = 1.1, 14.0, 16.0, 8.0
"""What a multiply-add, the transform of a value of a tile and of a filter, and a pixel read or written cost, where a
multiply-add of a large matrix product costs 1; fitted to measurements."""

GRADIENT_TRANSFORM_COST = 30.0
"""What the transform of a value of a tile costs where the gradient of the weights is summed over tiles."""

MUCH_THE_SAME = 1.02
"""Times the least cost up to which the largest tile is taken: likely that of larger pictures too, with which these are
then made together."""


def count_tiles(out: int, rate: int, tile: int) -> int:
    """Tiles along an axis of ``out`` outputs: each of the ``rate`` interleaved dense problems has its own."""
    return sum(math.ceil(math.ceil((out - phase) / rate) / tile) for phase in range(min(rate, out)))


def winograd_applies(problem: Problem, operation: str) -> bool:
    """Whether there is an algorithm for this pass of the problem; with few channels there is nothing to gain."""
    window = problem.window
    if window.kernel != (3, 3) or window.stride != (1, 1) or problem.group != 1:
        return False
    if (problem.outputs if operation == "backward_data" else problem.channels) < LANES:
        return False
    return operation != "backward_data" or all(p <= 2 * d for p, d in zip(window.pad, window.dilation, strict=True))


def winograd_cost(problem: Problem, operation: str, tile: int) -> float:
    """What a pass costs, in multiply-adds of a large matrix product: the products of tiles, and the transforms."""
    adjoint = operation == "backward_data"
    out = problem.image if adjoint else problem.positions
    tiles = problem.batch * math.prod(
        count_tiles(n, r, tile) for n, r in zip(out, problem.window.dilation, strict=True)
    )
    inputs, outputs = problem.channels, problem.outputs
    if adjoint:
        inputs, outputs = outputs, inputs
    filled = tiles if operation == "backward_weights" else math.ceil(tiles / PANEL) * PANEL
    products = filled * inputs * math.ceil(outputs / BLOCK) * BLOCK
    each = GRADIENT_TRANSFORM_COST if operation == "backward_weights" else TRANSFORM_COST
    transforms = each * tiles * (inputs + outputs) + FILTER_COST * inputs * outputs
    image, positions = math.prod(problem.image), math.prod(problem.positions)
    pixels = problem.batch * (problem.channels * image + problem.outputs * positions)
    return (tile + 2) ** 2 * (PRODUCT_COST * products + transforms) + PIXEL_COST * pixels


def choose_tile(problem: Problem, operation: str) -> tuple[float, int]:
    """The cost and the size of the best tile: the largest of those that cost much the same."""
    costs = {tile: winograd_cost(problem, operation, tile) for tile in TILES}
    tile = max(tile for tile, cost in costs.items() if cost <= MUCH_THE_SAME * min(costs.values()))
    return costs[tile], tile


class WinogradEngine(ColumnsEngine):
    """Runs one `Problem` with tiles of ``tile`` x ``tile``."""

    def __init__(self, layer: Any, problem: Problem, tile: int):
        super().__init__(layer, problem, "winograd")
        self._tile = tile
        self._window_arguments = (*problem.window.pad, *problem.window.dilation)

    def companions(self, engines: Sequence[ColumnsEngine]) -> list[ColumnsEngine]:
        return [e for e in engines if isinstance(e, WinogradEngine) and e._tile == self._tile]

    def _grid(self, out: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of tiles of an image."""
        rows, columns = (count_tiles(n, r, self._tile) for n, r in zip(out, self._problem.window.dilation, strict=True))
        return rows, columns

    def _scratch(self, maps: Sequence[tuple[int, tuple[int, ...]]], inputs: int, outputs: int) -> NDArray[Any]:
        """All tiles of the maps (batch, size) and some filters if they fit into `SCRATCH_ELEMENTS`; at least the widest
        row of tiles and a block."""
        values, grids = (self._tile + 2) ** 2, [(batch, *self._grid(out)) for batch, out in maps]
        line = max(out[1] for _, out in maps) + (self._tile + 1) * self._problem.window.dilation[1] + 8
        tables = sum(4 * batch * rows + rows + columns + 2 * PANEL for batch, rows, columns in grids)

        def room(rows: int, tiles: int, outputs_at_once: int) -> int:
            tiles, made = tiles + PANEL, outputs_at_once + 2 * BLOCK
            desk = (2 * rows + 1) * (self._tile + 2) * line + 3 * tiles + 4 * PANEL
            return (
                get_num_threads() * desk + tables + values * (tiles * (inputs + 1 + made) + (inputs + 4) * made) + 512
            )

        least = room(1, max(columns for *_, columns in grids), BLOCK)
        all_rows = sum(batch * rows for batch, rows, _ in grids)
        all_tiles = sum(batch * rows * columns for batch, rows, columns in grids)
        return self._workspace.get(
            max(least, min(SCRATCH_ELEMENTS, room(all_rows, all_tiles, min(outputs, OUTPUTS_AT_ONCE))))
        )

    def _make_maps(self, pictures: Sequence[Picture], w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        p, last = self._problem, epilogue or Epilogue()
        work = self._scratch([(q.problem.batch, q.problem.positions) for q in pictures], p.channels, p.outputs)
        arrays = [q.x for q in pictures], w, last.scale, last.shift_with(bias), [q.y for q in pictures]
        self._kernels.winograd_forward(*arrays, work, self._tile, *self._window_arguments, last.relu, last.slope)

    def map_to_image(self, y: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None, x: NDArray[Any]) -> None:
        p = self._problem
        work = self._scratch([(p.batch, p.image)], p.outputs, p.channels)
        arrays = self._map(y), self._weights(w), bias, self._image(x)
        self._kernels.winograd_backward_data(*arrays, work, self._tile, *self._window_arguments)

    def _gradient_scratch(self) -> NDArray[Any]:
        """All tiles and products if they fit into `SCRATCH_ELEMENTS`, at least one segment and a few outputs."""
        p, values = self._problem, (self._tile + 2) ** 2
        rows, columns = self._grid(p.positions)
        line = self._tile * columns + 2 * min(p.window.dilation[1], p.positions[1]) + 16
        segment = min(max(RUN // columns, 1), p.batch * rows)
        planes = get_num_threads() * LANES * (segment * 2 * (self._tile + 1) * line + 4 * LANES)
        tables = 2 * (rows + columns + p.image[1] + p.positions[1]) + 512
        channels = math.ceil(p.channels / PANEL) * PANEL

        def room(rows_at_once: int, outputs_at_once: int) -> int:
            tiles, made = rows_at_once * columns + 1, outputs_at_once + 2 * PANEL
            return planes + tables + values * (tiles * (channels + made) + channels * made)

        few = room(segment, min(p.outputs, GRADIENT_OUTPUTS))
        return self._workspace.get(max(few, min(SCRATCH_ELEMENTS, 2 * room(p.batch * rows, p.outputs))))

    def add_weight_gradient(self, x: NDArray[Any], y: NDArray[Any], dw: NDArray[Any]) -> None:
        arrays = self._image(x), self._map(y), self._weights(dw)
        self._kernels.winograd_backward_weights(*arrays, self._gradient_scratch(), self._tile, *self._window_arguments)
