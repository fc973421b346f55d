"""Initial values of parameters (FillerParameter)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import PrototxtError, did_you_mean

__all__ = ["FILLERS", "fill"]


def _fan(values: NDArray[Any], filler: Any) -> float:
    """Number of connections that ``variance_norm`` counts: into, out of, or their mean."""
    count, shape = values.size, values.shape
    fan_in = count / shape[0] if shape else 1
    fan_out = count / shape[1] if len(shape) > 1 else count
    norm = filler.variance_norm
    if norm == filler.FAN_OUT:
        return fan_out
    if norm == filler.AVERAGE:
        return (fan_in + fan_out) / 2
    return fan_in


def _draw_normal(values: NDArray[Any], mean: float, std: float, random: np.random.Generator) -> None:
    random.standard_normal(dtype=values.dtype, out=values)
    values *= std
    values += mean


def _draw_uniform(values: NDArray[Any], low: float, high: float, random: np.random.Generator) -> None:
    random.random(dtype=values.dtype, out=values)
    values *= high - low
    values += low


def _constant(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    values[...] = filler.value


def _uniform(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    _draw_uniform(values, filler.min, filler.max, random)


def _gaussian(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    _draw_normal(values, filler.mean, filler.std, random)
    if filler.sparse >= 0:
        outputs = values.shape[0] if values.ndim else 1
        values *= random.random(values.shape) < filler.sparse / outputs


def _positive_unitball(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    rows = random.random(values.shape).reshape(values.shape[0] if values.ndim else 1, -1)
    values[...] = (rows / rows.sum(axis=1, keepdims=True)).reshape(values.shape)


def _xavier(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    bound = math.sqrt(3 / _fan(values, filler))
    _draw_uniform(values, -bound, bound, random)


def _msra(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    _draw_normal(values, 0, math.sqrt(2 / _fan(values, filler)), random)


def _bilinear(values: NDArray[Any], filler: Any, random: np.random.Generator) -> None:
    if values.ndim != 4 or values.shape[2] != values.shape[3]:
        raise PrototxtError(f"a bilinear filler needs a 4-D blob with square kernels, got shape {values.shape}")
    size = values.shape[3]
    factor = math.ceil(size / 2)
    centre = (size - 1) / (2 * factor)
    ramp = 1 - np.abs(np.arange(size) / factor - centre)
    values[...] = np.outer(ramp, ramp)


FILLERS: dict[str, Callable[[NDArray[Any], Any, np.random.Generator], None]] = {
    "bilinear": _bilinear,
    "constant": _constant,
    "gaussian": _gaussian,
    "msra": _msra,
    "positive_unitball": _positive_unitball,
    "uniform": _uniform,
    "xavier": _xavier,
}
"""Filler types by their names in prototxts."""


def fill(blob: Blob, filler: Any, random: np.random.Generator) -> None:
    """Fill ``blob.data`` as a FillerParameter says.

    Raises
    ------
    PrototxtError
        The type is unknown, ``sparse`` is used with another type than gaussian, or a bilinear kernel is not square.
    """
    if filler.type not in FILLERS:
        raise PrototxtError(
            f"unknown filler type '{filler.type}'.{did_you_mean(filler.type, FILLERS)} Known: {', '.join(FILLERS)}."
        )
    if filler.sparse != -1 and filler.type != "gaussian":
        raise PrototxtError(f"filler field 'sparse' is only for type gaussian, not {filler.type}")
    is_new_and_zero = filler.type == "constant" and filler.value == 0 and not blob.data_storage.capacity
    if blob.count and not is_new_and_zero:
        FILLERS[filler.type](blob.data, filler, random)
