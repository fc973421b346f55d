"""What in-place layers need: to know that they are in place, and to keep what they overwrite."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer

__all__ = ["BottomCopy", "channel_shape", "copy_data", "copy_diff", "item_rows", "shares_data", "shares_diff"]


def shares_data(a: Blob, b: Blob) -> bool:
    """Whether writing the data of one blob changes the other's."""
    return a.data_storage is b.data_storage


def shares_diff(a: Blob, b: Blob) -> bool:
    """Whether writing the gradient of one blob changes the other's."""
    return a.diff_storage is b.diff_storage


def copy_data(layer: Layer, source: Blob, target: Blob) -> None:
    """Copy data between blobs of equal count, unless they are one memory."""
    if not shares_data(source, target):
        layer.kernels.axpby(source.read().reshape(-1), target.write().reshape(-1), 1.0, 0.0)


def copy_diff(layer: Layer, source: Blob, target: Blob) -> None:
    """Copy gradients between blobs of equal count, unless they are one memory."""
    if not shares_diff(source, target):
        layer.kernels.axpby(source.read_diff().reshape(-1), target.write_diff().reshape(-1), 1.0, 0.0)


def channel_shape(blob: Blob, axis: int = 1, axes: int = 1) -> tuple[int, int, int]:
    """The blob seen as N items of C channels of n values, where ``axes`` axes from ``axis`` on make up the channels."""
    sizes = [1, 1, 1]
    for i, size in enumerate(blob.shape):
        sizes[0 if i < axis else 1 if i < axis + axes else 2] *= size
    return sizes[0], sizes[1], sizes[2]


def item_rows(array: NDArray[Any], axes: int = 1) -> NDArray[Any]:
    """The array seen as a matrix with a row for each index of its first ``axes`` axes; it may be empty."""
    shape = array.shape
    return array.reshape(math.prod(shape[:axes]), math.prod(shape[axes:]))


class BottomCopy:
    """A layer's bottom as its gradient needs it: the bottom itself, or a copy where the layer works in place."""

    def __init__(self, layer: Layer):
        self._layer = layer
        self._blob = layer.new_blob(0)
        self._copied = False

    def save(self, bottom: Blob, top: Blob, needed: bool = True) -> None:
        """Call before the top is written. ``needed`` false: no gradient will ask for the bottom."""
        self._copied = needed and self._layer.need_backward and shares_data(bottom, top)
        if self._copied:
            self._blob.reshape_like(bottom)
            copy_data(self._layer, bottom, self._blob)

    def of(self, bottom: Blob) -> Blob:
        """The blob whose data are the bottom's as they were before the forward pass."""
        return self._blob if self._copied else bottom
