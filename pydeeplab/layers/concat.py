"""Concat and Slice: joining blobs along an axis, and cutting one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


class _Parts(Layer):
    """One whole blob and its parts along an axis, seen as matrices of equally many rows."""

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def _read_axis(self, param: Any, old_name: str) -> None:
        if param.HasField("axis") and param.HasField(old_name):
            raise self.error(f"give either axis or {old_name} (its old name), not both")
        self._axis_given = int(getattr(param, old_name) if param.HasField(old_name) else param.axis)

    def _find_axis(self, blob: Blob) -> int:
        ndim = len(blob.shape)
        if not -ndim <= self._axis_given < ndim:
            raise self.shape_error(f"axis {self._axis_given} is out of range for a bottom of shape {blob.shape}")
        return self._axis_given % ndim

    def _measure(self, whole: Blob, parts: Sequence[Blob], axis: int) -> None:
        self._rows = math.prod(whole.shape[:axis])
        inner = math.prod(whole.shape[axis + 1 :])
        self._widths = [part.shape[axis] * inner for part in parts]
        if len(parts) == 1:
            whole_or_part, other = (parts[0], whole) if self.type == "Slice" else (whole, parts[0])
            whole_or_part.share_data(other)
            whole_or_part.share_diff(other)

    def _matrix(self, array: NDArray[Any], width: int) -> NDArray[Any]:
        return array.reshape(1, self._rows, width)

    def _join(self, parts: Sequence[NDArray[Any]], whole: NDArray[Any]) -> None:
        column, target = 0, self._matrix(whole, sum(self._widths))
        for part, width in zip(parts, self._widths, strict=True):
            self.kernels.copy_window(self._matrix(part, width), target, 0, 0, 0, column, self._rows, width)
            column += width

    def _cut(self, whole: NDArray[Any], parts: Sequence[NDArray[Any] | None]) -> None:
        column, source = 0, self._matrix(whole, sum(self._widths))
        for part, width in zip(parts, self._widths, strict=True):
            if part is not None:
                self.kernels.copy_window(source, self._matrix(part, width), 0, column, 0, 0, self._rows, width)
            column += width


@register
class Concat(_Parts):
    """Joins its bottoms along ``concat_param.axis`` (1, the channels, unless given); their other axes must agree.

    A single bottom is not copied: the top is the same memory.
    """

    type = "Concat"
    repeatable = True
    bottom_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._read_axis(self.param.concat_param, "concat_dim")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = self._find_axis(bottom[0])
        first = bottom[0].shape
        for i, blob in enumerate(bottom):
            same = len(blob.shape) == len(first)
            if not same or (*blob.shape[:axis], *blob.shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
                raise self.shape_error(
                    f"bottoms may differ along axis {axis} only; bottom 0 is {first}, bottom {i} is {blob.shape}"
                )
        top[0].reshape(*first[:axis], sum(blob.shape[axis] for blob in bottom), *first[axis + 1 :])
        self._measure(top[0], bottom, axis)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            self._join([blob.read() for blob in bottom], top[0].write())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            wanted = zip(bottom, propagate_down, strict=True)
            self._cut(top[0].read_diff(), [blob.write_diff() if want else None for blob, want in wanted])


@register
class Slice(_Parts):
    """Cuts its bottom along ``slice_param.axis`` (1, the channels, unless given), at the ``slice_point``s or evenly.

    A single top is not copied: it is the same memory.
    """

    type = "Slice"
    repeatable = True
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._read_axis(self.param.slice_param, "slice_dim")
        self._points = [int(p) for p in self.param.slice_param.slice_point]
        if self._points and len(self._points) != len(top) - 1:
            raise self.error(f"{len(top)} tops need {len(top) - 1} slice points, got {len(self._points)}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = self._find_axis(bottom[0])
        shape = bottom[0].shape
        for blob, size in zip(top, self._sizes(shape[axis], len(top)), strict=True):
            blob.reshape(*shape[:axis], size, *shape[axis + 1 :])
        self._measure(bottom[0], top, axis)

    def _sizes(self, size: int, count: int) -> list[int]:
        if not self._points:
            if size % count:
                raise self.shape_error(f"{size} values do not divide evenly among {count} tops; give slice_point")
            return [size // count] * count
        bounds = [0, *self._points, size]
        sizes = [after - before for before, after in pairwise(bounds)]
        if min(sizes) <= 0:
            raise self.shape_error(f"slice points {self._points} must increase and lie within 1..{size - 1}")
        return sizes

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) > 1:
            self._cut(bottom[0].read(), [blob.write() for blob in top])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and len(top) > 1:
            self._join([blob.read_diff() for blob in top], bottom[0].write_diff())
