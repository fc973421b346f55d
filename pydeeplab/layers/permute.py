"""Permute: the axes of a blob in another order (SSD)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


def _merged(shape: Sequence[int], order: Sequence[int]) -> tuple[list[int], list[int]]:
    """The same permutation of as few axes as possible: those that stay neighbours become one."""
    runs: list[list[int]] = []
    for axis in order:
        if runs and axis == runs[-1][-1] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    by_axis = sorted(range(len(runs)), key=lambda i: runs[i][0])
    sizes = [math.prod(shape[a] for a in runs[i]) for i in by_axis]
    return sizes, [by_axis.index(i) for i in range(len(runs))]


@register
class Permute(Layer):
    """Axis i of the top is axis ``permute_param.order[i]`` of the bottom; axes left out follow in their old order.

    Raises
    ------
    LayerError
        An axis named twice or out of range, or a permutation that does not reduce to four axes.
    """

    type = "Permute"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ndim = len(bottom[0].shape)
        order = [int(o) for o in self.param.permute_param.order]
        if len(set(order)) < len(order) or any(o >= ndim for o in order):
            raise self.error(f"order {order} must name axes 0..{ndim - 1}, each at most once")
        self._order = [*order, *(axis for axis in range(ndim) if axis not in order)]
        self._inverse = [self._order.index(axis) for axis in range(ndim)]
        if len(_merged(bottom[0].shape, self._order)[0]) > 4:
            raise self.error(f"order {order} moves more than four groups of axes; split it into two Permute layers")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != len(self._order):
            raise self.shape_error(f"was set up for {len(self._order)} axes, got shape {shape}")
        top[0].reshape(*(shape[axis] for axis in self._order))

    def _move(self, source: Blob, target: Blob, order: Sequence[int], diff: bool) -> None:
        sizes, axes = _merged(source.shape, order)
        pad = 4 - len(sizes)
        sizes, axes = [1] * pad + sizes, [*range(pad), *(a + pad for a in axes)]
        x, y = (source.read_diff(), target.write_diff()) if diff else (source.read(), target.write())
        self.kernels.permute_forward(x.reshape(sizes), y.reshape(-1), *axes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._move(bottom[0], top[0], self._order, diff=False)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._move(top[0], bottom[0], self._inverse, diff=True)
