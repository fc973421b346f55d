"""Reference Caffe's way of using a CPU: BLAS has all threads, everything else runs on one.

Caffe itself builds on few machines by now. Its algorithm is our engine CAFFE (whole columns, one matrix product per
image); what that engine does better is that columns, pooling and activations use all threads too.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy.linalg.blas import sgemm

from benchmarks.contestants.ours import Ours
from benchmarks.tasks import Task
from pydeeplab.backend.cpu.blas_threads import thread_controls
from pydeeplab.layers import _convolution_engine
from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Epilogue, Picture
from pydeeplab.threads import set_num_threads


def _multiply(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any], *, add: bool = False) -> None:
    """out = a b, plus itself if ``add``; rows or columns are contiguous."""
    sgemm(1.0, b.T, a.T, beta=float(add), c=out.T, overwrite_c=True)


class SerialColumns(ColumnsEngine):
    """im2col and col2im on one thread, products by BLAS."""

    @property
    def _window(self) -> tuple[int, ...]:
        return *self._problem.window.kernel, *self._plane

    def _sides(
        self, x: NDArray[Any], w: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Images, the weights as a matrix, maps, and columns unless the image is its own."""
        p, rows, columns = self._problem, self._problem.channels * self._problem.window.taps, None
        if p.group != 1:
            raise ValueError("one group only")
        if self._columns:
            columns = self._workspace.get(self._columns)[: self._columns].reshape(1, rows, *p.positions)
        return self._image(x), self._weights(w).reshape(p.outputs, rows), self._map(y), columns

    def _fill(self, image: NDArray[Any], columns: NDArray[Any] | None) -> NDArray[Any]:
        if columns is None:
            return image.reshape(len(image), -1)
        self._kernels.im2col(image[None], columns, *self._window)
        return columns.reshape(columns.shape[1], -1)

    def _make_map(self, picture: Picture, w: Array, bias: Array | None, epilogue: Epilogue | None) -> None:
        images, weights, maps, columns = self._sides(picture.x, w, picture.y)
        for image, one in zip(images, maps, strict=True):
            _multiply(weights, self._fill(image, columns), one.reshape(len(one), -1))
            if bias is not None:
                one += bias.reshape(-1, 1, 1)

    def map_to_image(self, y: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None, x: NDArray[Any]) -> None:
        images, weights, maps, columns = self._sides(x, w, y)
        for image, one in zip(images, maps, strict=True):
            made = (image if columns is None else columns).reshape(weights.shape[1], -1)
            _multiply(weights.T, one.reshape(len(one), -1), made)
            if columns is not None:
                self._kernels.col2im(columns, image[None], *self._window)

    def add_weight_gradient(self, x: NDArray[Any], y: NDArray[Any], dw: NDArray[Any]) -> None:
        images, gradient, maps, columns = self._sides(x, dw, y)
        for image, one in zip(images, maps, strict=True):
            _multiply(one.reshape(len(one), -1), self._fill(image, columns).T, gradient, add=True)


class CaffesWay(Ours):
    """Nets in engine CAFFE on one thread, but for the products."""

    def __init__(self, task: Task, folder: Path, check: bool):
        _convolution_engine.ColumnsEngine = SerialColumns  # type: ignore[misc]
        super().__init__(task, folder, check, keep="all", engine="CAFFE")
        set_num_threads(1)
        ctypes.CFUNCTYPE(None, ctypes.c_int)(thread_controls()[1])(task.threads)
