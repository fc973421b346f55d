"""A search for the CRF's parameters as a figure: mean IoU over the deviations, a panel for each weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pydeeplab.errors import counted
from pydeeplab.figures.colours import heat, scale_bar
from pydeeplab.figures.figure import GAP, INK, SOFT, Figure, beside, stacked
from pydeeplab.plotting.layout import Box, Part, Picture, Text, text_width
from pydeeplab.plotting.ticks import format_tick

__all__ = ["search_figure"]

Point = tuple[float, float, float]

_WIDTH, _HEIGHT = 40, 24
_LEFT, _HEAD, _FOOT = 30, 42, 38
_WIDEST, _SMALL = 1160, 11
_EMPTY, _FRAME = "#eeeeee", "#d55e00"


def search_figure(scores: Mapping[Point, float], best: Point, before: float, pictures: int) -> Figure:
    """Mean IoU over sigma_alpha (to the right) and sigma_beta (upwards), a panel for each w1 that was tried.

    Parameters
    ----------
    scores : mapping of (w1, sigma_alpha, sigma_beta) to float
        Mean IoU, 0..1; combinations that were not tried stay grey.
    best : tuple
        The point that gets a frame.
    before : float
        Mean IoU without CRF.
    pictures : int
        The number of pictures.
    """
    values = [v for v in scores.values() if math.isfinite(v)] or [0.0]
    low, high = min(values), max(values)
    panels = [_panel(scores, weight, best, low, high) for weight in sorted({w for w, _, _ in scores})]
    rows = [beside(row, 2 * GAP) for row in _rows(panels)]
    rows[0] = beside([rows[0], scale_bar(100 * low, 100 * high, panels[0].height - _FOOT)], 2 * GAP)
    w, xy, rgb = best
    caption = (
        f"Mean IoU in per cent of {counted(pictures, 'picture')} after the CRF, for {len(scores)} bilateral kernels: "
        "w1 is their weight, sigma_alpha their standard deviation in pixels, sigma_beta in grey levels. Framed, the "
        f"best: w1 {w:g}, sigma_alpha {xy:g}, sigma_beta {rgb:g} with {100 * scores[best]:.2f}. Without CRF: "
        f"{100 * before:.2f}."
    )
    table = "w1,sigma_alpha,sigma_beta,mean_iou\n" + "".join(
        f"{w:g},{xy:g},{rgb:g},{scores[w, xy, rgb]:.6f}\n" for w, xy, rgb in sorted(scores)
    )
    return Figure("search", "Cross-validation of the CRF's parameters", caption, stacked(rows), table)


def _rows(panels: Sequence[Picture]) -> list[list[Picture]]:
    """Panels side by side, as many as fit."""
    rows: list[list[Picture]] = [[]]
    for panel in panels:
        if rows[-1] and sum(p.width + 2 * GAP for p in rows[-1]) + panel.width > _WIDEST:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _panel(scores: Mapping[Point, float], weight: float, best: Point, low: float, high: float) -> Picture:
    """The scores of one weight."""
    tried = {(xy, rgb): v for (w, xy, rgb), v in scores.items() if w == weight}
    columns, rows = sorted({xy for xy, _ in tried}), sorted({rgb for _, rgb in tried}, reverse=True)
    right, bottom = _LEFT + _WIDTH * len(columns), _HEAD + _HEIGHT * len(rows)
    parts: list[Part] = [
        Text(_LEFT, 14, f"w1 = {weight:g}", bold=True, colour=INK),
        Text(0, _HEAD - 8, "sigma_beta", _SMALL, colour=SOFT),
        Text(_LEFT, bottom + 30, "sigma_alpha", _SMALL, colour=SOFT),
    ]
    for i, rgb in enumerate(rows):
        y = _HEAD + _HEIGHT * i
        parts.append(Text(_LEFT - 6, y + 16, format_tick(rgb), _SMALL, "end", SOFT))
        for j, xy in enumerate(columns):
            parts += _cell(_LEFT + _WIDTH * j, y, tried.get((xy, rgb)), low, high)
    parts += [
        Text(_LEFT + _WIDTH * (j + 0.5), bottom + 14, format_tick(xy), _SMALL, "middle", SOFT)
        for j, xy in enumerate(columns)
    ]
    if best[0] == weight:
        x, y = _LEFT + _WIDTH * columns.index(best[1]), _HEAD + _HEIGHT * rows.index(best[2])
        parts.append(Box(x - 0.5, y - 0.5, _WIDTH, _HEIGHT, line=_FRAME, line_width=3))
    width = max(right, _LEFT + round(text_width("sigma_alpha", _SMALL)))
    return Picture(width, bottom + _FOOT, (_LEFT, _HEAD, right, bottom), parts)


def _cell(x: float, y: float, score: float | None, low: float, high: float) -> list[Part]:
    if score is None or not math.isfinite(score):
        return [Box(x, y, _WIDTH - 1, _HEIGHT - 1, fill=_EMPTY)]
    red, green, blue = heat(np.array([[score]]), low, high)[0, 0].tolist()
    ink = INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
    return [
        Box(x, y, _WIDTH - 1, _HEIGHT - 1, fill=f"#{red:02x}{green:02x}{blue:02x}"),
        Text(x + (_WIDTH - 1) / 2, y + 16, f"{100 * score:.2f}", _SMALL, "middle", ink),
    ]
