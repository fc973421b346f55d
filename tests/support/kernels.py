"""Cases for the kernel table: one list per family in tests/backend/cases, run on every backend by test_kernels.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GUARD = np.nan


class Arguments:
    """Makes the arrays of a case, the same for every backend: seeded, of one floating type."""

    def __init__(self, dtype: Any, seed: int):
        self.dtype = np.dtype(dtype)
        self._random = np.random.default_rng(seed)

    def real(self, *shape: int) -> np.ndarray:
        """Standard normal values."""
        return self._random.standard_normal(shape).astype(np.float32).astype(self.dtype)

    accumulate = real

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Uniform values in [low, high)."""
        return self._random.uniform(low, high, shape).astype(np.float32).astype(self.dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Whole numbers low..high-1 in the floating type, such as labels and values with ties."""
        return self._random.integers(low, high, shape).astype(self.dtype)

    def int32(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Whole numbers low..high-1."""
        return self._random.integers(low, high, shape, dtype=np.int32)

    def out(self, *shape: int) -> np.ndarray:
        """An output: full of NaN, so that what is not written shows."""
        return np.full(shape, GUARD, self.dtype)

    def out_int32(self, *shape: int) -> np.ndarray:
        """An int32 output full of a value that no kernel writes."""
        return np.full(shape, -123456789, np.int32)

    def scratch(self, count: int) -> np.ndarray:
        """Scratch memory full of NaN."""
        return np.full(count, GUARD, self.dtype)

    def value(self, array: Any) -> np.ndarray:
        """Given values; floating ones are cast to the case's type."""
        given = np.asarray(array)
        return np.array(given, self.dtype if given.dtype.kind == "f" else given.dtype, order="C")


@dataclass(frozen=True)
class Case:
    """One call of one kernel. ``make`` gets an `Arguments` and returns all arguments, in the table's order.

    ``ignore`` names outputs that are not compared (such as scratch that a kernel also returns).
    """

    kernel: str
    make: Callable[[Arguments], list[Any]]
    label: str = ""
    ignore: tuple[str, ...] = ()
    seed: int = 0

    @property
    def id(self) -> str:
        """The name that pytest shows."""
        return f"{self.kernel}-{self.label}" if self.label else self.kernel


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute error over the largest absolute expected value (at least 1e-6); NaNs must coincide."""
    if got.shape != expected.shape:
        raise AssertionError(f"shape {got.shape}, expected {expected.shape}")
    if not expected.size:
        return 0.0
    got64, expected64 = got.astype(np.float64), expected.astype(np.float64)
    same = (got64 == expected64) | (np.isnan(got64) & np.isnan(expected64))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0, np.abs(got64 - expected64))
    if np.isnan(difference).any():
        return float("inf")
    finite = np.abs(expected64[np.isfinite(expected64)])
    return float(difference.max() / max(finite.max() if finite.size else 0.0, 1e-6))
