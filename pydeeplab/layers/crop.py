"""Crop and Padding: cutting a window out of a blob, and putting a border of zeros around one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register

Array = NDArray[Any]


class _Window(Layer):
    """Moves values between a large array and its window that begins at ``offsets`` and has the small array's shape."""

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def _cut(self, large: Array, small: Array, offsets: Sequence[int]) -> None:
        """small = the window of large."""
        arrays, steps = self._stages(large, small)
        for wide, narrow, step in zip(arrays[:-1], arrays[1:], steps, strict=True):
            x, y, top, left = _as_planes(wide, narrow, step, offsets)
            self.kernels.copy_window(x, y, top, left, 0, 0, y.shape[1], y.shape[2])

    def _paste(self, small: Array, large: Array, offsets: Sequence[int]) -> None:
        """The window of large = small, all else 0."""
        arrays, steps = self._stages(large, small)
        for wide, narrow, step in reversed(list(zip(arrays[:-1], arrays[1:], steps, strict=True))):
            y, x, top, left = _as_planes(wide, narrow, step, offsets)
            if x.shape != y.shape:
                self.kernels.fill(y.reshape(-1), 0.0)
            self.kernels.copy_window(x, y, 0, 0, top, left, x.shape[1], x.shape[2])

    def _stages(self, large: Array, small: Array) -> tuple[list[Array], list[tuple[int, int]]]:
        """Arrays from large to small, and the one or two neighbouring axes that shrink from each to the next; where
        more axes shrink (seldom), those in between lie in the workspace."""
        steps = _steps(large.shape, small.shape)
        shapes = [large.shape]
        for axes in steps[:-1]:
            shapes.append(tuple(small.shape[i] if i in axes else n for i, n in enumerate(shapes[-1])))
        counts = [math.prod(shape) for shape in shapes[1:]]
        work = self.context.workspace.get(sum(counts))
        starts = [sum(counts[:i]) for i in range(len(counts))]
        between = [work[at : at + n].reshape(shape) for at, n, shape in zip(starts, counts, shapes[1:], strict=True)]
        return [large, *between, small], steps


def _steps(large: Sequence[int], small: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring axes in pairs, such that all axes that differ are in one; at least one pair."""
    steps: list[tuple[int, int]] = []
    for axis, (before, after) in enumerate(zip(large, small, strict=True)):
        if before != after and (not steps or axis > steps[-1][1]):
            steps.append((axis, min(axis + 1, len(large) - 1)))
    return steps or [(0, 0)]


def _as_planes(
    wide: Array, narrow: Array, axes: tuple[int, int], offsets: Sequence[int]
) -> tuple[Array, Array, int, int]:
    """Both arrays as planes whose rows and columns are the two axes, and the window's corner there."""
    first, second = axes
    inner = math.prod(wide.shape[second + 1 :])

    def planes(array: Array) -> Array:
        shape = array.shape
        return array.reshape(math.prod(shape[:first]), math.prod(shape[first:second]), math.prod(shape[second:]))

    return planes(wide), planes(narrow), offsets[first] if first < second else 0, offsets[second] * inner


@register
class Crop(_Window):
    """Cuts bottom 0 to the size of bottom 1 along ``crop_param.axis`` (2 unless given) and all axes behind it.

    ``offset``: none (0), one for all these axes, or one for each. Bottom 1 gives its shape only, and gets no gradient.

    Raises
    ------
    LayerError
        Another number of offsets.
    ShapeError
        The window does not lie inside bottom 0, or the bottoms have different numbers of axes.
    """

    type = "Crop"
    repeatable = True
    bottom_count = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ndim = len(bottom[0].shape)
        if not -ndim <= self.param.crop_param.axis < ndim:
            raise self.shape_error(f"axis {self.param.crop_param.axis} is out of range for shape {bottom[0].shape}")
        self._axis = self.param.crop_param.axis % ndim
        given = [int(o) for o in self.param.crop_param.offset]
        count = ndim - self._axis
        if len(given) not in (0, 1, count):
            raise self.error(f"{count} axes are cropped; give no offset, one for all, or {count}; got {len(given)}")
        offsets = given if len(given) == count else (given or [0]) * count
        self._offsets = [0] * self._axis + offsets

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, wanted = bottom[0].shape, bottom[1].shape
        if len(shape) != len(wanted):
            raise self.shape_error(f"bottoms must have equally many axes, got {shape} and {wanted}")
        for axis in range(self._axis, len(shape)):
            if self._offsets[axis] + wanted[axis] > shape[axis]:
                raise self.shape_error(
                    f"a window of {wanted[axis]} from offset {self._offsets[axis]} does not fit into axis {axis} of "
                    f"bottom 0, whose shape is {shape}"
                )
        top[0].reshape(*shape[: self._axis], *wanted[self._axis :])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._cut(bottom[0].read(), top[0].write(), self._offsets)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._paste(top[0].read_diff(), bottom[0].write_diff(), self._offsets)
        if propagate_down[1]:
            self.kernels.fill(bottom[1].write_diff().reshape(-1), 0.0)


@register
class Padding(_Window):
    """Puts ``padding_param.pad_beg`` zeros above and left of a map and ``pad_end`` below and right; both may instead
    be negative, and then cut that much off (DeepLab v1)."""

    type = "Padding"
    repeatable = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.padding_param
        self._begin, self._end = int(param.pad_beg), int(param.pad_end)
        if self._begin * self._end < 0:
            raise self.error(f"pad_beg and pad_end must have one sign, got {self._begin} and {self._end}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.shape_error(f"the bottom must be N x C x H x W, got {shape}")
        size = [n + self._begin + self._end for n in shape[2:]]
        if min(size) <= 0:
            raise self.shape_error(f"padding of {self._begin} and {self._end} leaves nothing of {shape}")
        top[0].reshape(*shape[:2], *size)
        self._offsets = [0, 0, abs(self._begin), abs(self._begin)]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        move = self._cut if self._begin + self._end < 0 else self._paste
        move(bottom[0].read(), top[0].write(), self._offsets)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            move = self._paste if self._begin + self._end < 0 else self._cut
            move(top[0].read_diff(), bottom[0].write_diff(), self._offsets)
