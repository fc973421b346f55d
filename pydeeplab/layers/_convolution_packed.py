"""Convolution as one matrix product whose columns are made while they are packed, or as seven products of halves:
forward, and at stride 1 the gradient of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem, filled
from pydeeplab.threads import get_num_threads

__all__ = ["PackedEngine", "StrassenEngine", "adjoint", "strassen_share"]

PANEL, BLOCK, DEPTH = 16, 6, 256
"""Positions, outputs and terms that the product takes at a time."""

STRIP_PRODUCTS = 2**16
"""Products that a thread keeps near, in strips of 4 to 16 panels."""

HALF_PANELS, HALF_BLOCKS, HALF_DEPTH = 8, 22, 512
"""Most panels of each half of a strip, blocks of each half of the outputs that are stored together, and terms of each
half that are summed at a time."""

MOST_FACTORS = 2**21
"""Packed weights, 8 MB, of a range of outputs of `StrassenEngine`, which makes range after range."""


WAYS = ("forward", "backward_data")
"""The passes for which there are kernels."""


def adjoint(problem: Problem) -> Problem | None:
    """The convolution of the maps that is the gradient of the images: at stride 1, with pads within the window."""
    window = problem.window
    pad = tuple(r * (k - 1) - p for r, k, p in zip(window.dilation, window.kernel, window.pad, strict=True))
    if any(s != 1 for s in window.stride) or any(p < 0 for p in pad):
        return None
    sizes = problem.outputs, problem.channels, problem.group, problem.positions, problem.image
    return Problem(replace(window, pad=pad), problem.batch, *sizes)


def _sizes(problem: Problem) -> tuple[int, int, int]:
    """Outputs and terms of a group, and positions of an image."""
    each = problem.channels // problem.group * problem.window.taps
    return problem.outputs // problem.group, each, math.prod(problem.positions)


def _ranges(problem: Problem) -> int:
    """The ranges of outputs that `StrassenEngine` makes one after the other."""
    outputs, depth, _ = _sizes(problem)
    return math.ceil(7 * max(1, math.ceil(depth / 2)) * math.ceil(outputs / 2) / MOST_FACTORS)


def _cost(problem: Problem, products: int, column: int, gathered: int, output: int, weight: int) -> float:
    """Multiply-adds and what is moved: by element of the columns, dearer if they are gathered, output and weight."""
    outputs, depth, positions = _sizes(problem)
    column += 0 if problem.window.single else gathered
    return problem.batch * (products + positions * (column * depth + output * outputs)) + weight * outputs * depth


def strassen_share(problem: Problem) -> float:
    """The cost of the forward pass by `StrassenEngine` as a share of that by `PackedEngine`, fitted to measurements.

    For problems with one group.
    """
    outputs, depth, positions = _sizes(problem)
    ranges = _ranges(problem)
    whole = filled(outputs, BLOCK) * depth * filled(positions, PANEL)
    halves = filled(outputs, 2 * BLOCK) * filled(depth, 2) * filled(positions, 2 * PANEL) // 8
    return _cost(problem, 7 * halves, 17 * ranges, 12 * ranges, 22, 51) / _cost(problem, whole, 14, 15, 15, 36)


class PackedEngine(ColumnsEngine):
    """Runs the forward pass of pictures and the gradient of images; the gradient of weights through columns."""

    takes_sums = True

    def __init__(self, layer: Layer, problem: Problem, name: str = "packed"):
        super().__init__(layer, problem, name)
        self._forward, self._backward = (getattr(self._kernels, f"conv_{way}_{name}") for way in WAYS)

    def _room_of(self, problem: Problem) -> int:
        """Enough scratch for pictures of any size."""
        outputs, depth, _ = _sizes(problem)
        outputs = filled(outputs, BLOCK)
        strip = PANEL * max(4, min(16, STRIP_PRODUCTS // (outputs * PANEL)))
        return problem.group * outputs * depth + get_num_threads() * strip * (min(depth, DEPTH) + 1 + outputs)

    def map_to_image(self, y: Array, w: Array, bias: Array | None, x: Array) -> None:
        problem = adjoint(self._problem)
        if not problem:
            super().map_to_image(y, w, bias, x)
            return
        work = self._workspace.get(self._room_of(problem))
        arrays = self._map(y), self._weights(w), bias, self._image(x), work
        self._backward(*arrays, *self._plane, problem.group)

    def companions(self, engines: Sequence[ColumnsEngine]) -> list[ColumnsEngine]:
        return [engine for engine in engines if type(engine) is type(self)]

    def _make_maps(self, pictures: Sequence[Picture], w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        last = epilogue or Epilogue()
        xs, others, ys = ([getattr(p, name) for p in pictures] for name in ("x", "other", "y"))
        arrays = xs, w, last.scale, last.shift_with(bias), others, ys
        work = self._workspace.get(self._room_of(self._problem))
        self._forward(*arrays, work, *self._plane, self._problem.group, last.relu, last.slope)


class StrassenEngine(PackedEngine):
    """The same as seven products in place of eight."""

    def __init__(self, layer: Layer, problem: Problem):
        super().__init__(layer, problem, "strassen")

    def _room_of(self, problem: Problem) -> int:
        outputs, depth, _ = _sizes(problem)
        blocks, half = math.ceil(outputs / (_ranges(problem) * 2 * BLOCK)), max(1, math.ceil(depth / 2))
        kept = min(blocks, HALF_BLOCKS) if half <= HALF_DEPTH else blocks
        panels = HALF_PANELS // 2 if problem.window.single else HALF_PANELS
        thread = panels * PANEL * (min(half, HALF_DEPTH) + 1 + BLOCK * kept)
        return 7 * (blocks * filled(half * BLOCK, 8) + get_num_threads() * thread)
