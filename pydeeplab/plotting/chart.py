"""What a line chart shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.errors import DataError

__all__ = ["COLOURS", "Chart", "Series"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#8c564b")
"""Colours of the series in turn; the first six are Okabe and Ito's, which colour-blind readers can tell apart."""


@dataclass(eq=False)
class Series:
    """One line: points (x, y), in the order of x. Points that are not finite leave a gap.

    ``faint`` draws it thin and pale (such as raw values behind smoothed ones) and without a legend entry; ``colour`` is
    a ``#rrggbb``, by default the next one; ``marks`` draws a dot at each point.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    colour: str | None = None
    faint: bool = False
    marks: bool = False

    def __init__(
        self,
        name: str,
        x: ArrayLike,
        y: ArrayLike,
        *,
        colour: str | None = None,
        faint: bool = False,
        marks: bool = False,
    ):
        self.name, self.colour, self.faint, self.marks = name, colour, faint, marks
        self.x, self.y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
        if len(self.x) != len(self.y):
            raise DataError(f"series '{name}' has {len(self.x)} positions and {len(self.y)} values")

    def smoothed(self, window: int) -> Series:
        """Each finite value replaced by the mean of the finite ones among the ``window`` values that end there."""
        good = np.isfinite(self.y)
        sums = np.concatenate([[0.0], np.cumsum(np.where(good, self.y, 0.0))])
        counts = np.concatenate([[0], np.cumsum(good)])
        ends = np.arange(1, len(self.y) + 1)
        starts = np.maximum(ends - window, 0)
        means = (sums[ends] - sums[starts]) / np.maximum(counts[ends] - counts[starts], 1)
        means = np.where(good, means, np.nan)
        return Series(self.name, self.x, means, colour=self.colour, faint=self.faint, marks=self.marks)


@dataclass
class Chart:
    """A line chart: a title, labels of the axes, and its series.

    ``log_y`` makes the vertical axis logarithmic; values that are not positive are then left out. ``y_low`` and
    ``y_high`` fix the ends of the vertical axis.
    """

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    series: Sequence[Series] = field(default_factory=list)
    log_y: bool = False
    y_low: float | None = None
    y_high: float | None = None

    def colour(self, index: int) -> str:
        """The colour of a series: its own, or the next of `COLOURS` (faint ones share that of the one they follow)."""
        own = self.series[index].colour
        if own:
            return own
        before = sum(1 for s in list(self.series)[:index] if not s.faint)
        return COLOURS[before % len(COLOURS)]

    def usable(self, index: int) -> NDArray[np.bool_]:
        """Which points of a series can be drawn."""
        series = self.series[index]
        good = np.isfinite(series.x) & np.isfinite(series.y)
        return good & (series.y > 0) if self.log_y else good

    @property
    def counts(self) -> bool:
        """Whether positions are counts, such as iterations: all are whole numbers."""
        xs = [s.x[self.usable(i)] for i, s in enumerate(self.series)]
        return all(bool((x == np.floor(x)).all()) for x in xs)

    def limits(self) -> tuple[float, float, float, float]:
        """Ends of the axes: x low, x high, y low, y high. Constant values get some room."""
        xs = [s.x[self.usable(i)] for i, s in enumerate(self.series)]
        ys = [s.y[self.usable(i)] for i, s in enumerate(self.series)]
        x, y = (np.concatenate([*arrays, []]) for arrays in (xs, ys))
        if not len(x):
            x, y = np.array([0.0, 1.0]), np.array([0.1, 1.0])
        x_low, x_high = float(x.min()), float(x.max())
        if x_low < x_high or not self.counts:
            x_low, x_high = _roomy(x_low, x_high, False, 0)
        else:
            x_low, x_high = (max(0.0, x_low - 1) if x_low >= 0 else x_low - 1), x_high + 1
        y_low, y_high = _roomy(float(y.min()), float(y.max()), self.log_y, 0.05)
        return (
            x_low,
            x_high,
            y_low if self.y_low is None else self.y_low,
            y_high if self.y_high is None else self.y_high,
        )


def _roomy(low: float, high: float, logarithmic: bool, margin: float) -> tuple[float, float]:
    """Ends of an axis a little beyond the values; an axis of positive values that begins near 0 begins at 0."""
    if logarithmic:
        factor = (high / low) ** margin if high > low else 2.0
        return low / factor, high * factor
    if high == low:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    room = margin * (high - low)
    return (0.0 if 0 <= low < 0.25 * high and margin else low - room), high + room
