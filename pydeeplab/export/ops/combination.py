"""Several blobs into one, one into several, and choices among values: Eltwise, Concat, Slice, ArgMax and others."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

from pydeeplab.export.site import Site, translates

FLOAT = 1


@translates("Eltwise")
def eltwise(site: Site) -> str:
    """Sum, product or maximum."""
    param = site.param.eltwise_param
    if param.operation == param.PROD:
        return reduce(lambda a, b: site.op("Mul", a, b), site.bottoms)
    if param.operation == param.MAX:
        return site.op("Max", *site.bottoms)
    coefficients = list(param.coeff) or [1.0] * len(site.bottoms)
    terms = [b if c == 1 else site.op("Mul", b, site.real(c)) for b, c in zip(site.bottoms, coefficients, strict=True)]
    return reduce(lambda a, b: site.op("Add", a, b), terms)


@translates("SpatialProduct")
def spatial_product(site: Site) -> str:
    """Every channel times one map."""
    return site.op("Mul", site.bottom, site.bottoms[1])


def _axis(site: Site, param: Any, old_name: str) -> int:
    given = getattr(param, old_name) if param.HasField(old_name) else param.axis
    return int(given) % len(site.shapes[0])


@translates("Concat")
def concat(site: Site) -> str:
    """Concat."""
    return site.op("Concat", *site.bottoms, axis=_axis(site, site.param.concat_param, "concat_dim"))


@translates("Slice")
def slice_(site: Site) -> list[str]:
    """Split into parts of known size."""
    axis = _axis(site, site.param.slice_param, "slice_dim")
    count = len(site.top_shapes)
    if count == 1:
        return [site.bottom]
    if site.varies(0, axis):
        site.unsupported("it cuts an axis whose size varies; export it at one size, without --dynamic")
    bounds = [0, *site.param.slice_param.slice_point, site.shapes[0][axis]]
    sizes = [b - a for a, b in pairwise(bounds)] if len(bounds) == count + 1 else [bounds[-1] // count] * count
    return site.ops("Split", site.bottom, site.integers(sizes), outputs=count, axis=axis)


@translates("Tile")
def tile(site: Site) -> str:
    """Tile along one axis."""
    param, ndim = site.param.tile_param, len(site.shapes[0])
    repeats = [1] * ndim
    repeats[param.axis % ndim] = int(param.tiles)
    return site.op("Tile", site.bottom, site.integers(repeats))


@translates("Reduction")
def reduction(site: Site) -> str:
    """A sum or mean over the last axes."""
    param, ndim = site.param.reduction_param, len(site.shapes[0])
    names = {param.SUM: "ReduceSum", param.MEAN: "ReduceMean"}
    value = site.bottom
    if param.operation == param.ASUM:
        value = site.op("Abs", value)
    elif param.operation == param.SUMSQ:
        value = site.op("Mul", value, value)
    axes = list(range(param.axis % ndim, ndim))
    total = site.reduce(names.get(param.operation, "ReduceSum"), value, axes, keep=False)
    return total if param.coeff == 1 else site.op("Mul", total, site.real(float(param.coeff)))


@translates("ArgMax")
def argmax(site: Site) -> str:
    """Of equal values the one behind comes first: along an axis ArgMax says so, TopK on the values in reverse does."""
    param, ndim = site.param.argmax_param, len(site.shapes[0])
    k, along = int(param.top_k), param.HasField("axis")
    axis = param.axis % ndim if along else 1
    if along and k == 1:
        if param.out_max_val:
            return site.reduce("ReduceMax", site.bottom, [axis])
        return site.op("Cast", site.op("ArgMax", site.bottom, axis=axis, keepdims=1, select_last_index=1), to=FLOAT)
    if site.varies(0, axis) or (not along and any(site.varies(0, i) for i in range(1, ndim))):
        site.unsupported("it counts along an axis whose size varies; export it at one size, without --dynamic")
    value = site.bottom if along else site.op("Flatten", site.bottom, axis=1)
    last = site.shapes[0][axis] - 1
    if not along:
        for size in site.shapes[0][2:]:
            last = (last + 1) * size - 1
    lowest = site.integers([-(2**31)])
    reverse = site.op("Slice", value, site.integers([-1]), lowest, site.integers([axis]), site.integers([-1]))
    values, places = site.ops("TopK", reverse, site.integers([k]), outputs=2, axis=axis)
    index = site.op("Cast", site.op("Sub", site.integers([last]), places), to=FLOAT)
    if along:
        return values if param.out_max_val else index
    both = site.op("Concat", index, values, axis=1) if param.out_max_val else index
    return site.reshape_to_top(both)
