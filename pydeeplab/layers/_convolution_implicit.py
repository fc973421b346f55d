"""Convolution on a GPU, as a matrix product whose columns are never stored: when it pays, and running it."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem

__all__ = ["ImplicitEngine", "choose_without_strips"]

FEW_FILTERS = 8
"""Outputs per group below which most of a tile would be thrown away."""

MANY_PHASES = 1024
"""Different alignments of pixel and stride, each a problem of its own for the gradient of the data."""


def choose_without_strips(problem: Problem, operation: str, lacking: Collection[str]) -> tuple[str, str]:
    """The name and the reason of the engine for a backend that has no strips.

    Parameters
    ----------
    operation : {"forward", "backward_data", "backward_weights"}
    lacking : str
        Kernels that the backend does not have.
    """
    window = problem.window
    kernel = "conv_forward_packed" if operation == "forward" else f"conv_{operation}_implicit"
    if kernel in lacking:
        return "im2col", "the backend has no other"
    if window.single:
        return "im2col", "1 x 1, stride 1, no pad: the image is its own columns"
    if problem.group > 1 and min(problem.outputs, problem.channels) < FEW_FILTERS * problem.group:
        return "im2col", f"groups of fewer than {FEW_FILTERS} channels or outputs"
    if operation == "backward_data" and math.prod(window.stride) > MANY_PHASES:
        return "im2col", f"strides of more than {MANY_PHASES} pixels"
    return "implicit", "columns are read from the image as the product needs them"


class ImplicitEngine(ColumnsEngine):
    """Runs one `Problem` without columns."""

    takes_sums = True

    def __init__(self, layer: Layer, problem: Problem):
        super().__init__(layer, problem, "implicit")
        self._suffix, self._columns = "_implicit", 0

    def _make_map(self, picture: Picture, w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        last = epilogue or Epilogue()
        arrays = [picture.x], w, last.scale, self._shift(bias, last), [picture.other], [picture.y]
        work = self._workspace.get(0)
        self._kernels.conv_forward_packed(*arrays, work, *self._plane, self._problem.group, last.relu, last.slope)

    def _shift(self, bias: NDArray[Any] | None, last: Epilogue) -> NDArray[Any] | None:
        """The epilogue's shift where the bias is not added to the values before."""
        if bias is None or (last.scale is None and last.shift is None):
            return last.shift if bias is None else bias
        shape = (1, self._problem.outputs, 1)
        shift = self._workspace.get(self._problem.outputs)
        self._kernels.channel_affine_forward(
            bias.reshape(shape), shift.reshape(shape), last.scale, last.shift, 0.0, False
        )
        return shift
