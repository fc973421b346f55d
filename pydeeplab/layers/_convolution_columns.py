"""Computing a convolution through columns: the pixels that each window sees, multiplied by the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem
from pydeeplab.threads import get_num_threads

__all__ = ["STRIP_ELEMENTS", "Array", "ColumnsEngine"]

Array = NDArray[Any]

STRIP_ELEMENTS = 2**20
"""Columns that one thread makes at a time: 4 MB, about what its share of the caches holds."""

DEVICE_ELEMENTS = 2**26
"""Columns that a GPU makes at a time, of several images if they fit: 256 MB."""


class ColumnsEngine:
    """Runs one `Problem` with columns of the image, or directly if depthwise.

    Images are [batch, channels, *image], maps [batch, outputs, *positions], weights [outputs, channels / group,
    *kernel], in any grouping of their axes: they are reshaped as the kernels want them.
    """

    takes_sums = False
    """Whether the forward pass adds a picture's ``other``."""

    def __init__(self, layer: Layer, problem: Problem, name: str):
        self._kernels, self._workspace = layer.kernels, layer.context.workspace
        self._problem, self._name = problem, name
        window, planar = problem.window, problem.window.planar()
        self._prefix = {"nd": "conv_nd", "depthwise": "depthwise"}.get(name, "conv")
        self._suffix = "_strips" if name in ("gemm", "strips") else ""
        self._plane = (*planar.stride, *planar.pad, *planar.dilation)
        axes = (problem.image, problem.positions, window.kernel, window.stride, window.pad, window.dilation)
        self._geometry = np.array(axes, np.int32).T.copy()
        self._columns = self._count_columns()
        if layer.context.backend.on_device and not self._suffix:
            self._columns *= max(1, min(problem.batch, DEVICE_ELEMENTS // max(self._columns, 1)))

    def _count_columns(self) -> int:
        problem, positions = self._problem, math.prod(self._problem.positions)
        if problem.window.single or self._name == "depthwise":
            return 0
        rows, threads = problem.channels * problem.window.taps, get_num_threads()
        if not self._suffix:
            return rows * positions
        return max(16 * rows, 256, min(STRIP_ELEMENTS * threads, rows * (positions + 16 * threads)))

    def _shaped(self, values: NDArray[Any], lead: Sequence[int], sizes: Sequence[int]) -> NDArray[Any]:
        if self._name == "nd":
            return values.reshape(*lead, math.prod(sizes))
        return values.reshape(*lead, *((1,) * (2 - len(sizes))), *sizes)

    def _image(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(x, (self._problem.batch, self._problem.channels), self._problem.image)

    def _map(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(y, (self._problem.batch, self._problem.outputs), self._problem.positions)

    def _weights(self, w: NDArray[Any]) -> NDArray[Any]:
        inputs = self._problem.channels // self._problem.group
        return self._shaped(w, (self._problem.outputs, inputs), self._problem.window.kernel)

    def _run(self, operation: str, *arrays: NDArray[Any] | None) -> None:
        kernel = getattr(self._kernels, f"{self._prefix}_{operation}{self._suffix}")
        if self._name == "depthwise":
            kernel(*arrays, *self._plane)
            return
        columns = self._workspace.get(self._columns)
        if self._name == "nd":
            kernel(*arrays, columns, self._geometry, self._problem.group)
        else:
            kernel(*arrays, columns, *self._plane, self._problem.group)

    def image_to_map(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any] | None,
        y: NDArray[Any],
        epilogue: Epilogue | None = None,
    ) -> None:
        """A convolution's forward pass, a deconvolution's gradient of the bottom; the epilogue follows the bias."""
        self.images_to_maps([self.picture(x, y)], w, bias, epilogue)

    def picture(self, x: NDArray[Any], y: NDArray[Any], other: NDArray[Any] | None = None) -> Picture:
        """A picture of this engine's `Problem`, for `images_to_maps` of this engine or of one it is a companion of."""
        return Picture(self._problem, self._image(x), self._map(y), None if other is None else self._map(other))

    def companions(self, engines: Sequence[ColumnsEngine]) -> list[ColumnsEngine]:
        """Those of ``engines``, of problems with the same weights and window, whose pictures `images_to_maps` takes
        together with its own because that is faster; each result is the same as alone."""
        return []

    def images_to_maps(
        self, pictures: Sequence[Picture], w: NDArray[Any], bias: NDArray[Any] | None, epilogue: Epilogue | None = None
    ) -> None:
        """`image_to_map` of several pictures with the same weights: its own and those of `companions`."""
        self._make_maps(pictures, self._weights(w), bias, epilogue)

    def _make_maps(self, pictures: Sequence[Picture], w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        """`images_to_maps` of weights in the shape that kernels want: one after the other."""
        for picture in pictures:
            self._make_map(picture, w, bias, epilogue)

    def _make_map(self, picture: Picture, w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        self._run("forward", picture.x, w, bias, picture.y)
        if epilogue:
            flat = picture.y.reshape(self._problem.batch, self._problem.outputs, math.prod(self._problem.positions))
            last = epilogue.scale, epilogue.shift, epilogue.slope, epilogue.relu
            self._kernels.channel_affine_forward(flat, flat, *last)

    def map_to_image(self, y: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None, x: NDArray[Any]) -> None:
        """The adjoint of `image_to_map`, plus a bias per channel."""
        self._run("backward_data", self._map(y), self._weights(w), bias, self._image(x))

    def add_weight_gradient(self, x: NDArray[Any], y: NDArray[Any], dw: NDArray[Any]) -> None:
        """Add what the image and the map say about the weights."""
        self._run("backward_weights", self._image(x), self._map(y), self._weights(dw))
