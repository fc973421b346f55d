"""Flatten and Reshape: the same memory under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


class _View(Layer):
    """The top is the bottom's memory; a subclass gives the top's shape."""

    repeatable = True

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        raise NotImplementedError

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*self._shape(bottom[0].shape))
        top[0].share_data(bottom[0])
        top[0].share_diff(bottom[0])

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass


@register
class Flatten(_View):
    """Joins the axes ``flatten_param.axis`` (1) to ``end_axis`` (-1, the last) into one."""

    type = "Flatten"

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        param = self.param.flatten_param
        ndim = len(shape)
        for name in ("axis", "end_axis"):
            if not -ndim <= getattr(param, name) < ndim:
                raise self.shape_error(f"{name} {getattr(param, name)} is out of range for a bottom of shape {shape}")
        first, last = param.axis % ndim, param.end_axis % ndim
        if first > last:
            raise self.shape_error(f"axis {param.axis} lies behind end_axis {param.end_axis} for shape {shape}")
        return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


@register
class Reshape(_View):
    """Replaces ``reshape_param.num_axes`` axes (-1: all) from ``axis`` (0) on by those of ``shape``.

    In ``shape`` a 0 keeps the bottom's axis at that place, and one -1 takes what is left over.

    Raises
    ------
    ShapeError
        Axes out of range, more than one -1, a 0 without an axis to copy, or another number of elements.
    """

    type = "Reshape"

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        param = self.param.reshape_param
        ndim = len(shape)
        start = param.axis if param.axis >= 0 else ndim + param.axis + 1
        end = ndim if param.num_axes == -1 else start + param.num_axes
        if param.num_axes < -1 or not 0 <= start <= end <= ndim:
            raise self.shape_error(f"axis {param.axis}, num_axes {param.num_axes} are out of range for shape {shape}")
        dims = [int(d) for d in param.shape.dim]
        if any(d < -1 for d in dims) or dims.count(-1) > 1:
            raise self.shape_error(f"reshape_param.shape {dims} may hold sizes, zeros (keep) and one -1 (infer)")
        for i, size in enumerate(dims):
            if size == 0:
                if start + i >= ndim:
                    raise self.shape_error(f"dim {i} of {dims} is 0 (keep), but {shape} has no axis {start + i}")
                dims[i] = shape[start + i]
        if -1 in dims:
            known = math.prod(d for d in dims if d != -1) * math.prod(shape[:start]) * math.prod(shape[end:])
            if known == 0 or math.prod(shape) % known:
                raise self.shape_error(f"{math.prod(shape)} elements of shape {shape} do not divide into {dims}")
            dims[dims.index(-1)] = math.prod(shape) // known
        result = (*shape[:start], *dims, *shape[end:])
        if math.prod(result) != math.prod(shape):
            counts = f"{math.prod(shape)} and {math.prod(result)} elements"
            raise self.shape_error(f"cannot reshape {shape} to {result}: {counts}")
        return result
