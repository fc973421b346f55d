"""Looking into weight files: statistics of arrays, and the differences between two files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "Gap", "Statistics", "compare_arrays", "statistics"]

Array = NDArray[Any]


@dataclass
class Statistics:
    """Smallest, largest and mean of the finite values (None if there is none), and how many are NaN or infinite."""

    shape: tuple[int, ...]
    min: float | None
    max: float | None
    mean: float | None
    nonfinite: int = 0


def statistics(array: Array) -> Statistics:
    """Statistics of one array, in double precision."""
    finite = array
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        finite = array[np.isfinite(array)]
    if not finite.size:
        return Statistics(array.shape, None, None, None, array.size)
    mean = float(finite.mean(dtype=np.float64))
    return Statistics(array.shape, float(finite.min()), float(finite.max()), mean, array.size - finite.size)


@dataclass
class Gap:
    """How two arrays of one name differ.

    ``relative`` is the largest difference over the largest finite magnitude in either (inf where one is finite and the
    other is not); None where the shapes differ.
    """

    name: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    values: int = 0
    relative: float | None = None


@dataclass
class Difference:
    """The outcome of `compare_arrays`; false in a condition if there is no difference."""

    equal: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    only_in_first: list[str] = field(default_factory=list)
    only_in_second: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.gaps or self.only_in_first or self.only_in_second)


def _gap(name: str, a: Array, b: Array) -> Gap:
    gap = Gap(name, (a.shape, b.shape))
    if a.shape != b.shape:
        return gap
    differ = (a != b) & ~(np.isnan(a) & np.isnan(b))
    gap.values = int(np.count_nonzero(differ))
    gap.relative = 0.0
    if gap.values:
        with np.errstate(invalid="ignore"):
            largest = float(np.abs(a[differ].astype(np.float64) - b[differ].astype(np.float64)).max())
        scale = max(float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in (a, b))
        gap.relative = largest / scale if scale and math.isfinite(largest) else math.inf
    return gap


def compare_arrays(first: Mapping[str, Array], second: Mapping[str, Array], tolerance: float = 0.0) -> Difference:
    """Compare named arrays.

    Parameters
    ----------
    first, second : mapping of str to ndarray
        As of `WeightsFile.arrays`.
    tolerance : float
        How far values may be apart, relative to the largest of their array. NaN equals NaN.

    Examples
    --------
    >>> compare_arrays({"a": np.array([1.0, 4.0])}, {"a": np.array([1.0, 5.0])}).gaps
    [Gap(name='a', shapes=((2,), (2,)), values=1, relative=0.2)]
    """
    result = Difference(
        only_in_first=[name for name in first if name not in second],
        only_in_second=[name for name in second if name not in first],
    )
    for name in first:
        if name not in second:
            continue
        gap = _gap(name, first[name], second[name])
        if gap.relative is not None and gap.relative <= tolerance:
            result.equal.append(name)
        else:
            result.gaps.append(gap)
    return result
