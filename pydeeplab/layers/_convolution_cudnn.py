"""Convolution by cuDNN, where a layer or a net asks for engine CUDNN and the library is there."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pydeeplab.backend import Backend
from pydeeplab.backend.cuda.library import Unavailable
from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_columns import Array
from pydeeplab.layers._convolution_implicit import ImplicitEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem

if TYPE_CHECKING:
    from pydeeplab.backend.cuda.cudnn import Cudnn, CudnnConvolution

__all__ = ["CudnnEngine", "find_cudnn"]


def find_cudnn(backend: Backend) -> Cudnn | Unavailable:
    """The cuDNN that works beside ``backend``, or why there is none."""
    if backend.name != "cuda":
        return Unavailable(f"cuDNN computes on GPUs, not on backend {backend.name}")
    from pydeeplab.backend.cuda.cudnn import connect_cudnn

    return connect_cudnn(backend.library)  # type: ignore[attr-defined]


class CudnnEngine(ImplicitEngine):
    """Runs one `Problem` of at most two spatial axes by cuDNN; biases and epilogues are passes of their own."""

    takes_sums = False

    def __init__(self, layer: Layer, problem: Problem):
        super().__init__(layer, problem)
        self._backend: Any = layer.context.backend

    @cached_property
    def _convolution(self) -> CudnnConvolution:
        from pydeeplab.backend.cuda.cudnn import CudnnConvolution

        p = self._problem
        image, positions, kernel = ((1, 1, *axes)[-2:] for axes in (p.image, p.positions, p.window.kernel))
        x, y = (p.batch, p.channels, *image), (p.batch, p.outputs, *positions)
        w = (p.outputs, p.channels // p.group, *kernel)
        found: Any = find_cudnn(self._backend)
        return CudnnConvolution(found, x, w, y, self._plane, p.group)

    def _compute(self, operation: str, first: Any, second: Any, result: Any, *, add: bool = False) -> None:
        if not self._problem.batch:
            return
        mode = self._backend.blas.math
        memory = self._convolution.algorithm(operation, mode).memory
        work = self._workspace.get(math.ceil(memory / result.dtype.itemsize))
        self._convolution.run(operation, mode, first, second, result, work, add=add)

    def _finish(self, values: Any, channels: int, bias: NDArray[Any] | None, last: Epilogue) -> None:
        shift = self._shift(bias, last)
        if last.scale is not None or shift is not None or last.relu:
            flat = values.reshape(self._problem.batch, channels, -1)
            self._kernels.channel_affine_forward(flat, flat, last.scale, shift, last.slope, last.relu)

    def _make_map(self, picture: Picture, w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        self._compute("Forward", picture.x, w, picture.y)
        self._finish(picture.y, self._problem.outputs, bias, epilogue or Epilogue())

    def map_to_image(self, y: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None, x: NDArray[Any]) -> None:
        self._compute("BackwardData", w, y, x)
        self._finish(x, self._problem.channels, bias, Epilogue())

    def add_weight_gradient(self, x: NDArray[Any], y: NDArray[Any], dw: NDArray[Any]) -> None:
        self._compute("BackwardFilter", x, y, dw, add=True)
