"""Where the lines and words of a chart lie: what both the SVG and the PNG of it are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from pydeeplab.plotting.chart import Chart
from pydeeplab.plotting.ticks import format_tick, linear_ticks, log_ticks

__all__ = ["Bitmap", "Box", "Dot", "Line", "Part", "Picture", "Text", "lay_out", "load_font", "text_width"]

INK, SOFT, GRID = "#222222", "#666666", "#e4e4e4"
_FONT, _TITLE = 13, 16
_MOST_POINTS = 4000


@dataclass(frozen=True)
class Line:
    """A polyline: (n, 2) points x, y in pixels from the top left corner."""

    points: NDArray[np.float64]
    colour: str
    width: float
    opacity: float = 1.0


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True)
class Text:
    """A line of text; y is its baseline, ``anchor`` start, middle or end."""

    x: float
    y: float
    text: str
    size: int = _FONT
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle: filled, outlined, or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    line: str | None = None
    line_width: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True, eq=False)
class Bitmap:
    """Pixels (H, W, 3) uint8 RGB drawn into a rectangle; ``photo`` allows lossy compression where a format has it."""

    x: float
    y: float
    width: float
    height: float
    pixels: NDArray[np.uint8]
    photo: bool = False


Part = Line | Dot | Text | Box | Bitmap


@dataclass(frozen=True)
class Picture:
    """Parts laid out, the first at the back, in a picture of a size in pixels.

    ``frame`` is what the parts lie around: of a chart the plot's left, top, right and bottom.
    """

    width: int
    height: int
    frame: tuple[float, float, float, float]
    parts: Sequence[Part]


@cache
def load_font(size: int) -> Any:
    """Pillow's own font, which is always there."""
    return ImageFont.load_default(size=size)


def text_width(text: str, size: int = _FONT) -> float:
    """How wide a line of text is, about."""
    return float(load_font(size).getlength(text))


def _legend(chart: Chart, left: float, right: float, top: float) -> tuple[list[Part], float]:
    """The legend in rows above the plot, and where the next thing may begin."""
    named = [(i, s.name) for i, s in enumerate(chart.series) if s.name and not s.faint]
    if len(named) < 2:
        return [], top
    parts: list[Part] = []
    x, y = left, top + 14
    for index, name in named:
        needed = 26 + text_width(name) + 18
        if x > left and x + needed > right:
            x, y = left, y + 20
        parts.append(Line(np.array([(x, y - 4), (x + 20, y - 4)]), chart.colour(index), 3))
        parts.append(Text(x + 26, y, name))
        x += needed
    return parts, y + 8


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of very many points the lowest and highest of each short stretch, which look the same."""
    if len(points) <= _MOST_POINTS:
        return points
    stretch = -(-len(points) // (_MOST_POINTS // 2))
    kept = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch, 1]
        kept += sorted({start + int(part.argmin()), start + int(part.argmax())})
    return points[kept]


def _curve(chart: Chart, index: int, place: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]) -> list[Part]:
    """The pieces of one series between its gaps."""
    series, usable, colour = chart.series[index], chart.usable(index), chart.colour(index)
    parts: list[Part] = []
    breaks = np.flatnonzero(np.diff(usable.astype(np.int8))) + 1
    for piece in np.split(np.arange(len(usable)), breaks):
        if not len(piece) or not usable[piece[0]]:
            continue
        points = place(series.x[piece], series.y[piece])
        if len(points) > 1:
            parts.append(Line(_thinned(points), colour, 1 if series.faint else 2, 0.35 if series.faint else 1))
        if series.marks or len(points) == 1:
            parts += [Dot(float(x), float(y), 3, colour) for x, y in points]
    return parts


def lay_out(chart: Chart, width: int = 760, height: int = 440) -> Picture:
    """Place all parts of a chart in a picture of this size."""
    x_low, x_high, y_low, y_high = chart.limits()
    y_ticks = log_ticks(y_low, y_high) if chart.log_y else linear_ticks(y_low, y_high)
    left = 18 + max(text_width(format_tick(t)) for t in y_ticks)
    right, top = width - 24.0, 14.0
    parts: list[Part] = []
    if chart.title:
        parts.append(Text(left, top + 14, chart.title, _TITLE, bold=True))
        top += 30
    legend, top = _legend(chart, left, right, top)
    parts += legend
    if chart.y_label:
        parts.append(Text(left, top + 14, chart.y_label, colour=SOFT))
        top += 22
    bottom = height - (50.0 if chart.x_label else 32.0)

    def rows(values: NDArray[Any] | float) -> Any:
        low, high = (np.log10(y_low), np.log10(y_high)) if chart.log_y else (y_low, y_high)
        share = ((np.log10(values) if chart.log_y else values) - low) / ((high - low) or 1)
        return bottom - np.clip(share, -0.02, 1.02) * (bottom - top)

    def columns(values: NDArray[Any] | float) -> Any:
        return left + (values - x_low) / ((x_high - x_low) or 1) * (right - left)

    for tick in y_ticks:
        y = float(rows(tick))
        parts.append(Line(np.array([(left, y), (right, y)]), GRID, 1))
        parts.append(Text(left - 8, y + 4.5, format_tick(tick), anchor="end", colour=SOFT))
    for tick in linear_ticks(x_low, x_high, max(3, int((right - left) / 90)), whole=chart.counts):
        x = float(columns(tick))
        parts.append(Line(np.array([(x, bottom), (x, bottom + 5)]), SOFT, 1))
        parts.append(Text(x, bottom + 19, format_tick(tick), anchor="middle", colour=SOFT))
    parts.append(Line(np.array([(left, bottom), (right, bottom)]), SOFT, 1))
    if chart.x_label:
        parts.append(Text((left + right) / 2, bottom + 40, chart.x_label, anchor="middle", colour=SOFT))
    for index in range(len(chart.series)):
        parts += _curve(chart, index, lambda x, y: np.stack([columns(x), rows(y)], axis=1))
    return Picture(width, height, (left, top, right, bottom), parts)
