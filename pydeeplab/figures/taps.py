"""The taps of a net's kernels at their rates."""

from __future__ import annotations

from pydeeplab.errors import UsageError, counted
from pydeeplab.figures.branches import Window, windows_of
from pydeeplab.figures.figure import CENTRE, GAP, Figure, beside, stacked, titled
from pydeeplab.net import Net
from pydeeplab.plotting.chart import COLOURS
from pydeeplab.plotting.layout import Box, Part, Picture

__all__ = ["taps_figure"]


def _taps_picture(window: Window, span: int, size: int, colour: str = COLOURS[0]) -> Picture:
    """The taps of a window on a grid of ``span x span`` elements."""
    cell = size / span
    parts: list[Part] = [Box(0, 0, size, size, fill="#f2f2f2", line="#bbbbbb", line_width=0.8)]
    first = (span - window.span) / 2
    parts.append(Box(first * cell, first * cell, window.span * cell, window.span * cell, fill="#ffffff", line=colour))
    for row in range(window.kernel):
        for column in range(window.kernel):
            middle = (row, column) == ((window.kernel - 1) / 2,) * 2
            x, y = ((first + k * window.rate) * cell for k in (column, row))
            parts.append(Box(x, y, cell, cell, fill=CENTRE if middle else colour))
    return Picture(size, size, (0, 0, size, size), parts)


def taps_figure(net: Net, name: str, size: int = 200) -> Figure:
    """The taps of all kinds of convolution in a net, on one scale.

    Parameters
    ----------
    net : Net
    name : str
        What to call it.
    size : int
        Of each picture.
    """
    windows = windows_of(net)
    if not windows:
        raise UsageError("the net has no convolution of more than one tap: there is nothing to draw")
    span = max(window.span for window in windows)
    cells = []
    for window in windows:
        below = [
            f"{window.span} x {window.span} elements, {window.kernel**2} weights",
            f"outer taps {(window.span - 1) * window.step} pixels apart",
            f"{counted(window.layers, 'layer')}, stride {'up to ' * (window.layers > 1)}{window.step}",
        ]
        picture = _taps_picture(window, span, size)
        cells.append(titled(picture, f"{window.kernel} x {window.kernel}, rate {window.rate}", below))
    columns = len(cells) if len(cells) <= 4 else 3
    rows = [beside(cells[i : i + columns], 2 * GAP) for i in range(0, len(cells), columns)]
    caption = (
        f"The convolutions of {name} with more than one tap, by kernel and rate as its prototxt says: where they read "
        f"their input to compute the orange element. All on one scale, {span} x {span} elements. The number of weights "
        "does not grow with the rate. Distances in pixels of the picture, at the largest stride."
    )
    return Figure("taps", "The taps of atrous kernels", caption, stacked(rows))
