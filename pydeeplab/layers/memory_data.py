"""MemoryData: batches of arrays that the caller hands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register


@register
class MemoryData(Layer):
    """Data (N, C, H, W) and labels (N), a batch per forward, from arrays set with ``net.set_input_arrays``."""

    type = "MemoryData"
    bottom_count = (0, 0)
    top_count = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.memory_data_param
        self.shape = (int(param.batch_size), int(param.channels), int(param.height), int(param.width))
        if min(self.shape) < 1:
            raise self.error(f"batch_size, channels, height and width must all be at least 1, got {self.shape}")
        self._data: NDArray[Any] | None = None
        self._labels: NDArray[Any] | None = None
        self._position = 0

    @property
    def batch_size(self) -> int:
        """Items per forward."""
        return self.shape[0]

    def set_arrays(self, data: Any, labels: Any) -> None:
        """Take batches from these arrays from now on, beginning at their start and going round.

        Parameters
        ----------
        data : (N, C, H, W) float32 array, C-contiguous
            N is a multiple of the batch size. The array is not copied: changes show in later batches.
        labels : (N,) or (N, 1, 1, 1) float32 array

        Raises
        ------
        DataError
            A shape, type or layout does not fit.
        """
        data, labels = np.asarray(data), np.asarray(labels)
        if labels.ndim == 1:
            labels = labels[:, None, None, None]
        for what, array, shape in (("data array", data, self.shape[1:]), ("labels array", labels, (1, 1, 1))):
            if array.ndim != 4:
                raise self.error(f"{what} must be 4-d, got shape {array.shape}", DataError)
            if array.shape[1:] != shape:
                sizes = ", ".join(map(str, shape))
                raise self.error(f"{what} must have shape (N, {sizes}), got {array.shape}", DataError)
            if array.dtype != np.float32:
                raise self.error(f"{what} must be float32, got {array.dtype}", DataError)
            if not array.flags.c_contiguous:
                raise self.error(f"{what} must be C contiguous; use numpy.ascontiguousarray", DataError)
        if len(data) != len(labels):
            raise self.error(
                f"data and labels must have the same first dimension, got {len(data)} and {len(labels)}", DataError
            )
        if not len(data) or len(data) % self.batch_size:
            raise self.error(
                f"first dimensions of input arrays must be a multiple of batch size {self.batch_size}, got {len(data)}",
                DataError,
            )
        self._data, self._labels, self._position = data, labels.reshape(-1), 0

    @property
    def state(self) -> dict[str, int]:
        """Where the layer stands in its arrays, to be put back later (the arrays themselves are the caller's)."""
        return {"position": self._position}

    @state.setter
    def state(self, saved: dict[str, int]) -> None:
        length = self.batch_size if self._data is None else len(self._data)
        self._position = int(saved["position"]) % length

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*self.shape)
        top[1].reshape(self.batch_size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._data is None or self._labels is None:
            raise self.error("has no data yet; call net.set_input_arrays(data, labels) first", DataError)
        rows = slice(self._position, self._position + self.batch_size)
        top[0].data[...] = self._data[rows]
        top[1].data[...] = self._labels[rows]
        self._position = rows.stop % len(self._data)
