"""BatchReindex and Filter: choosing items of a batch. Both run on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register


@register
class BatchReindex(Layer):
    """Item i of the top is item ``bottom[1][i]`` of bottom 0; items may be left out and repeated.

    Raises
    ------
    DataError
        An index that is not in bottom 0.
    """

    type = "BatchReindex"
    bottom_count = (2, 2)
    unpropagated_bottoms = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not bottom[0].shape:
            raise self.shape_error("bottom 0 must have an axis of items, got a scalar")
        if len(bottom[1].shape) != 1:
            raise self.shape_error(f"bottom 1 (the indices) must have one axis, got shape {bottom[1].shape}")
        top[0].reshape(bottom[1].shape[0], *bottom[0].shape[1:])

    def _indices(self, bottom: Sequence[Blob]) -> NDArray[Any]:
        given = bottom[1].data
        whole = np.trunc(given)
        wrong = np.flatnonzero(~((whole >= 0) & (whole < bottom[0].shape[0])))  # NaN too
        if wrong.size:
            raise self.error(
                f"index {given[wrong[0]]:g} at place {wrong[0]} is outside the {bottom[0].shape[0]} items of bottom 0",
                DataError,
            )
        return whole.astype(np.int64)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.take(bottom[0].data, self._indices(bottom), axis=0, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            dx[...] = 0
            np.add.at(dx, self._indices(bottom), top[0].diff)


@register
class Filter(Layer):
    """Each top holds the items of its bottom for which the last bottom, one value per item, is not 0."""

    type = "Filter"
    bottom_count = (2, None)
    top_count = (1, None)
    reshapes_always = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            raise self.error(f"{len(bottom)} bottoms (the last selects) need {len(bottom) - 1} tops, got {len(top)}")
        self._chosen: NDArray[Any] | None = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        selector = bottom[-1]
        items = selector.shape[0] if selector.shape else 0
        if selector.count != items:
            raise self.shape_error(f"the selector must have one value per item, got shape {selector.shape}")
        for i, blob in enumerate(bottom[:-1]):
            if not blob.shape or blob.shape[0] != items:
                raise self.shape_error(f"the selector has {items} items, bottom {i} has shape {blob.shape}")
        first = self._chosen is None  # before the first forward pass there is no data: as if all were chosen
        self._chosen = np.arange(items) if first else np.flatnonzero(selector.data.reshape(-1))
        for blob, target in zip(bottom, top, strict=False):
            target.reshape(len(self._chosen), *blob.shape[1:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, target in zip(bottom, top, strict=False):
            target.data[...] = blob.data[self._chosen]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[-1]:
            raise self.error("cannot propagate to the selector; set propagate_down: false for the last bottom")
        for blob, target, wanted in zip(bottom, top, propagate_down, strict=False):
            if wanted:
                dx = blob.diff
                dx[...] = 0
                dx[self._chosen] = target.diff
