"""How coordinates of one top map to another's, and the Crop that aligns them: pycaffe's ``coord_map``.

It works on the tops of `net_spec`, before any net is built. A map is a tuple ``(axis, scale, shift)``: along the axes
from ``axis + 1`` on, element x of the one top lies at ``scale * x + shift`` of the other; scale and shift are arrays
with one entry for all these axes or one for each. (`pydeeplab.placement` does the same for built nets.)

Examples
--------
>>> from pydeeplab.net_spec import NetSpec, layers as L
>>> n = NetSpec()
>>> n.data = L.Input(shape=dict(dim=[1, 1, 100, 100]))
>>> n.conv = L.Convolution(n.data, num_output=2, kernel_size=5, pad=10)
>>> n.score = crop(n.conv, n.data)
>>> n.to_proto().layer[2].crop_param.offset
[8]
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import UsageError
from pydeeplab.net_spec import Function, Top, layers
from pydeeplab.placement import through_window

__all__ = [
    "PASS_THROUGH_LAYERS",
    "AxisMismatchException",
    "CropError",
    "UndefinedMapException",
    "compose",
    "conv_params",
    "coord_map",
    "coord_map_from_to",
    "crop",
    "crop_params",
    "inverse",
]

CoordMap = tuple[int | None, NDArray[Any], NDArray[Any]]

PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Clip",
    "Dropout",
    "Eltwise",
    "ELU",
    "Exp",
    "Log",
    "LRN",
    "MVN",
    "Power",
    "PReLU",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "Swish",
    "TanH",
    "Threshold",
]
"""Types of layers that leave coordinates as they are."""

_WINDOW_LAYERS = ("Convolution", "Deconvolution", "Im2col", "Pooling")


class UndefinedMapException(UsageError):
    """A layer has no map of coordinates, because its type moves them in no linear way."""


class AxisMismatchException(UsageError):
    """Two maps begin at different axes."""


class CropError(UsageError, AssertionError):
    """No Crop can align two tops; pycaffe raises AssertionError here."""


def _spatial(params: Any, name: str, short: str, default: int) -> NDArray[Any]:
    """A window parameter, per axis: ``kernel_size: [3, 5]``, or ``kernel_h: 3`` with ``kernel_w: 5``."""
    pair = [f"{short}_h", f"{short}_w"]
    if any(key in params for key in pair):
        return np.array([params.get(key, default) for key in pair], ndmin=1)
    return np.array(params.get(name, default), ndmin=1)


def _own_params(fn: Function) -> Any:
    """A layer's fields, whether given as keywords or as a dict such as ``convolution_param``."""
    found = dict(fn.params)
    for key in ("convolution_param", "pooling_param", "crop_param"):
        found.update(fn.params.get(key, {}))
    return found


def conv_params(fn: Function) -> tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return axis, stride, extent of the kernel (with its dilation) and padding of a sliding-window layer.

    The arrays have one entry for all axes or one for each.
    """
    params = _own_params(fn)
    if "kernel_size" not in params and "kernel_h" not in params:
        raise UndefinedMapException(f"the {fn.type_name} layer has no kernel_size")
    dilation = _spatial(params, "dilation", "dilation", 1)
    extent = (_spatial(params, "kernel_size", "kernel", 1) - 1) * dilation + 1
    stride, pad = _spatial(params, "stride", "stride", 1), _spatial(params, "pad", "pad", 0)
    return int(params.get("axis", 1)), stride, extent, pad


def crop_params(fn: Function) -> tuple[int, NDArray[Any]]:
    """Return the first axis that a Crop layer crops, and its offsets."""
    params = _own_params(fn)
    return int(params.get("axis", 2)), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """Return the map from the coordinates of a layer's (first) bottom to those of its top.

    Raises
    ------
    UndefinedMapException
        For layers other than windows, Crop and `PASS_THROUGH_LAYERS`.
    """
    if fn.type_name in _WINDOW_LAYERS:
        axis, *geometry = conv_params(fn)
        lines = [
            through_window((Fraction(1), Fraction(0)), int(k), int(s), int(p), 1, fn.type_name == "Deconvolution")
            for s, k, p in zip(*map(np.atleast_1d, np.broadcast_arrays(*geometry)), strict=True)
        ]
        # A line says where an element of the top lies on the bottom; the map goes the other way.
        scale = [float(1 / step) for step, _ in lines]
        shift = [float(-start / step) for step, start in lines]
        return axis, np.array(scale), np.array(shift)
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, np.ones(1), -offset.astype(float)
    if fn.type_name in PASS_THROUGH_LAYERS:
        return None, np.ones(1), np.zeros(1)
    raise UndefinedMapException(f"coordinates do not pass through a {fn.type_name} layer")


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """Return the map that first applies ``next_map`` and then ``base_map``.

    Raises
    ------
    AxisMismatchException
        Both begin at an axis, and at different ones.
    """
    (base_axis, base_scale, base_shift), (next_axis, next_scale, next_shift) = base_map, next_map
    if None not in (base_axis, next_axis) and base_axis != next_axis:
        raise AxisMismatchException(f"maps begin at different axes, {base_axis} and {next_axis}")
    axis = next_axis if base_axis is None else base_axis
    return axis, base_scale * next_scale, base_scale * next_shift + base_shift


def inverse(coord_map: CoordMap) -> CoordMap:
    """Return the map in the other direction."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def _below(top: Top) -> Sequence[Top]:
    """The tops whose coordinates a top has: a Crop's second bottom only lends its shape."""
    inputs = top.fn.inputs
    return inputs[:1] if top.fn.type_name == "Crop" else inputs


def _maps_down(top: Top) -> dict[Top, CoordMap]:
    """The maps to ``top`` from itself and everything below it that it is linearly connected with, nearest first."""
    found: dict[Top, CoordMap] = {top: (None, np.ones(1), np.zeros(1))}
    frontier = [top]
    while frontier:
        current = frontier.pop(0)
        for bottom in _below(current):
            if bottom in found:
                continue
            try:
                found[bottom] = compose(found[current], coord_map(current.fn))
            except UndefinedMapException:
                continue
            frontier.append(bottom)
    return found


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """Return the map from the coordinates of one top to another's, by way of what both are computed from.

    Raises
    ------
    RuntimeError
        No blob is connected with both through layers that map coordinates.
    AxisMismatchException
        Layers in between work on different axes.
    """
    to_from, to_to = _maps_down(top_from), _maps_down(top_to)
    for common, up in to_to.items():
        if common in to_from:
            return compose(up, inverse(to_from[common]))
    raise UsageError(
        "could not find a map between the tops: nothing below both is connected with them by convolutions, pooling, "
        "crops and pointwise layers only"
    )


def crop(top_from: Top, top_to: Top) -> Top:
    """Return a Crop of ``top_from`` to the size of ``top_to``, with the offsets that align the two.

    Raises
    ------
    AssertionError
        They differ in scale, or ``top_from`` would need elements before its first, or half ones. The exception is a
        `CropError`.
    RuntimeError
        They are not connected.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if not np.allclose(scale, 1):
        raise CropError(f"cannot crop: scale mismatch, the tops' scales differ by a factor of {scale}")
    if (shift > 1e-6).any():
        raise CropError(f"cannot crop at negative offset {-shift}: pad the input, or crop the other top")
    if not np.allclose(shift, np.round(shift), rtol=0, atol=1e-6):
        raise CropError(f"cannot crop at the noninteger offset {-shift}: change a padding or an even kernel size")
    offset = [int(o) for o in -np.round(shift)]
    result: Top = layers.Crop(top_from, top_to, crop_param={"axis": 2 if axis is None else axis + 1, "offset": offset})
    return result
