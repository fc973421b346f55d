"""Sizes of axes that are computed when the graph runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Size", "SizeExpression", "vector"]

Emit = Callable[..., str]
Constant = Callable[..., str]


@dataclass(frozen=True)
class SizeExpression:
    """The size of an axis as a value of the graph (int64, one element); arithmetic on it adds operations.

    Division rounds down for sizes that are not negative.
    """

    value: str
    emit: Emit
    constant: Constant

    def _combine(self, kind: str, other: Size) -> SizeExpression:
        right = other.value if isinstance(other, SizeExpression) else self.constant(np.array([other], np.int64))
        return SizeExpression(self.emit(kind, self.value, right), self.emit, self.constant)

    def __add__(self, other: Size) -> SizeExpression:
        return self if other == 0 else self._combine("Add", other)

    def __sub__(self, other: Size) -> SizeExpression:
        return self if other == 0 else self._combine("Sub", other)

    def __mul__(self, other: Size) -> SizeExpression:
        return self if other == 1 else self._combine("Mul", other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> SizeExpression:
        return self if other == 1 else self._combine("Div", other)

    def at_most(self, other: Size) -> SizeExpression:
        """The smaller of both."""
        return self._combine("Min", other)


Size = int | SizeExpression
"""An axis: known now, or computed when the graph runs."""


def vector(sizes: Sequence[Size], emit: Emit, constant: Constant) -> str:
    """An int64 vector of sizes: a constant if all are known."""
    if all(isinstance(size, int) for size in sizes):
        return constant(np.array(sizes, np.int64))
    parts = [s.value if isinstance(s, SizeExpression) else constant(np.array([s], np.int64)) for s in sizes]
    return parts[0] if len(parts) == 1 else emit("Concat", *parts, axis=0)
