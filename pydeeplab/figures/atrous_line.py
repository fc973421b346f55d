"""Atrous convolution of a signal: which elements each output reads (figure 2)."""

from __future__ import annotations

import numpy as np

from pydeeplab.errors import UsageError
from pydeeplab.figures.figure import INK, SOFT, Figure, ordinal, stacked
from pydeeplab.plotting.chart import COLOURS
from pydeeplab.plotting.layout import Dot, Line, Part, Picture, Text

__all__ = ["line_figure"]

_SPACE, _RISE = 34.0, 84.0


def _signal(positions: range, y: float, chosen: set[int], colour: str) -> list[Part]:
    """A row of elements; the chosen ones are filled."""
    parts: list[Part] = []
    for position in positions:
        x = 20 + position * _SPACE
        parts += [Dot(x, y, 8, INK), Dot(x, y, 6.8, colour if position in chosen else "#ffffff")]
    return parts


def _diagram(taps: int, rate: int, step: int, count: int, title: str, remark: str) -> Picture:
    """Outputs above inputs, every ``step``-th position; the taps of one output, and those of the others faintly."""
    positions = range(0, count, step)
    chosen = positions[len(positions) // 2]
    reach = taps // 2
    bottom, top = 64 + _RISE, 64.0
    parts: list[Part] = [Text(0, 16, title, 15, colour=INK, bold=True), Text(0, 36, remark, 13, colour=SOFT)]
    for output in sorted(positions, key=lambda position: position == chosen):  # its lines lie on top
        colour, width = (COLOURS[0], 2.5) if output == chosen else ("#c4c4c4", 0.9)
        for k in range(-reach, reach + 1):
            source = output + k * rate
            if 0 <= source < count:
                ends = np.array([(20 + source * _SPACE, bottom), (20 + output * _SPACE, top)])
                parts.append(Line(ends, colour, width))
    read = {chosen + k * rate for k in range(-reach, reach + 1)}
    parts += _signal(positions, bottom, read, COLOURS[5])
    parts += _signal(positions, top, {chosen}, COLOURS[4])
    right = 20 + (count - 1) * _SPACE + 22
    parts.append(Text(right, top + 5, "output", colour=SOFT))
    parts.append(Text(right, bottom + 5, "input", colour=SOFT))
    size = round(right + 50), round(bottom + 16)
    return Picture(*size, (0, 0, *size), parts)


def line_figure(rate: int = 2, taps: int = 3, count: int = 17) -> Figure:
    """Atrous convolution of a signal: a kernel on a reduced signal, and with holes on all of it."""
    if rate < 2:
        raise UsageError(f"with rate {rate} both extractions are the same: give 2 or more")
    count = max(count, 2 * taps * rate + 1)
    sparse = _diagram(
        taps,
        rate,
        rate,
        count,
        "(a) Sparse feature extraction",
        f"kernel {taps}, stride 1, pad {taps // 2}, on every {ordinal(rate)} element",
    )
    dense = _diagram(
        taps,
        rate,
        1,
        count,
        "(b) Dense feature extraction",
        f"kernel {taps}, stride 1, pad {taps // 2 * rate}, rate {rate}, on all elements",
    )
    caption = (
        f"Circles are elements at their places in the signal, lines the {taps} weights of each output; one output "
        "(orange) and what it reads (blue) are marked. (a) Convolution of a signal that was reduced by "
        f"{rate}. (b) Atrous convolution with rate {rate} of the whole signal: the same {taps} weights reach as far, "
        f"and {rate} times as many outputs are computed, those of (a) among them."
    )
    return Figure("atrous-1d", "Atrous convolution in one dimension", caption, stacked([sparse, dense], 30))
