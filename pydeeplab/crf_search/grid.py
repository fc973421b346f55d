"""Which parameters to try: grids, coarse to fine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from pydeeplab.errors import UsageError

__all__ = ["PAPER_GRID", "Grid", "Point", "beyond", "neighbours", "parse_values"]

Point = tuple[float, float, float]
"""w1, sigma_alpha and sigma_beta: weight of the bilateral kernel, deviations in pixels and in grey levels."""

_DIGITS = 6
_MOST = 10_000


@dataclass(frozen=True)
class Grid:
    """All combinations of some weights, deviations in pixels and deviations in grey levels.

    Examples
    --------
    >>> grid = Grid((3, 4), (30, 40, 50), (5,))
    >>> len(grid.points()), grid.steps()
    (6, (1.0, 10.0, 0.0))
    """

    w: tuple[float, ...]
    xy: tuple[float, ...]
    rgb: tuple[float, ...]

    def points(self) -> list[Point]:
        """Its combinations."""
        return [(float(w), float(xy), float(rgb)) for w, xy, rgb in itertools.product(self.w, self.xy, self.rgb)]

    def steps(self) -> Point:
        """The smallest distance between values of each axis; 0 where there is one value only."""
        return _step(self.w), _step(self.xy), _step(self.rgb)

    def __str__(self) -> str:
        return f"w {_listed(self.w)}; xy {_listed(self.xy)}; rgb {_listed(self.rgb)}"


PAPER_GRID = Grid((3, 4, 5, 6), tuple(range(30, 101, 10)), (3, 4, 5, 6))
"""The first round of section 4.1.1: w1 in 3:6, sigma_alpha in 30:10:100, sigma_beta in 3:6."""


def _step(values: Iterable[float]) -> float:
    found = sorted(set(values))
    return float(min((b - a for a, b in itertools.pairwise(found)), default=0))


def _listed(values: Iterable[float]) -> str:
    return ",".join(f"{v:g}" for v in values)


def neighbours(centre: Point, steps: Point) -> list[Point]:
    """The points one step from the centre along some axes, and the centre; without those that are not positive."""
    axes = [
        sorted({round(value + d * step, _DIGITS) for d in (-1, 0, 1) if value + d * step > 0})
        for value, step in zip(centre, steps, strict=True)
    ]
    return [(w, xy, rgb) for w, xy, rgb in itertools.product(*axes)]


def beyond(start: Point, end: Point) -> Point | None:
    """The point as far after ``end`` as that is after ``start``; None if it is not positive.

    Examples
    --------
    >>> beyond((4, 90, 5), (4, 100, 4))
    (4, 110, 3)
    """
    w, xy, rgb = (round(2 * b - a, _DIGITS) for a, b in zip(start, end, strict=True))
    return (w, xy, rgb) if min(w, xy, rgb) > 0 else None


def parse_values(text: str, name: str) -> tuple[float, ...]:
    """Values as the paper writes them: ``3:6``, ``30:10:100`` (first, step, last), ``4,5.5`` or ``4``.

    Raises
    ------
    UsageError
        They are no positive numbers, or too many.

    Examples
    --------
    >>> parse_values("30:10:60", "xy")
    (30.0, 40.0, 50.0, 60.0)
    """
    try:
        parts = [float(part) for part in text.split(":")] if ":" in text else []
        values = [float(part) for part in text.split(",")] if not parts else []
        if parts:
            first, step, last = (parts[0], 1.0, parts[1]) if len(parts) == 2 else parts
            count = math.floor((last - first) / step + 1e-9) + 1
            values = [round(first + i * step, _DIGITS) for i in range(min(count, _MOST + 1))]
    except (ValueError, ZeroDivisionError, OverflowError):
        values = []
    if not values or len(values) > _MOST or not all(0 < v < math.inf for v in values):
        raise UsageError(f"{name} wants positive numbers: 3:6, 30:10:100 (first, step, last) or 4,5; got '{text}'")
    return tuple(sorted(set(values)))
