"""The fields of view of a net's parallel atrous filters, on a picture (figure 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pydeeplab.figures.branches import Branch, branches_of, sensitivity
from pydeeplab.figures.colours import faded, heat
from pydeeplab.figures.figure import CENTRE, GAP, INK, Figure, beside, stacked, titled
from pydeeplab.net import Net
from pydeeplab.plotting.layout import Bitmap, Box, Dot, Part, Picture, Text

__all__ = ["aspp_figure"]

_SHADES = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#555555")
_SHARE = 0.95
_MARGIN = 0.3

Extent = tuple[int, int, int, int]
"""First and last row, first and last column."""


def _middle(net: Net, branch: Branch) -> tuple[int, int]:
    height, width = net.blobs[branch.top].shape[2:]
    return height // 2, width // 2


def _ground(image: NDArray[np.uint8], branches: Sequence[Branch], element: tuple[int, int]) -> Extent:
    """What is shown: the image, all taps, and the receptive fields that do not reach far beyond the image."""
    boxes = [(0, image.shape[0] - 1, 0, image.shape[1] - 1)]
    margin = round(_MARGIN * max(image.shape))
    for branch in branches:
        rows, columns = zip(*branch.taps(element), strict=True)
        half = (branch.view or branch.step) // 2 - max(rows) + element[0] * branch.step
        boxes.append((min(rows) - half, max(rows) + half, min(columns) - half, max(columns) + half))
        first, last, begin, end = branch.seen(element)
        if max(-first, -begin, last - image.shape[0], end - image.shape[1]) <= margin:
            boxes.append((first, last, begin, end))
    lows, highs = np.array(boxes)[:, ::2].min(axis=0), np.array(boxes)[:, 1::2].max(axis=0)
    return int(lows[0]), int(highs[0]), int(lows[1]), int(highs[1])


def _frames(ground: Extent, branches: Sequence[Branch], element: tuple[int, int]) -> tuple[list[Extent], bool]:
    """The receptive fields, if all lie within what is shown, else the nominal fields of view; and which these are."""
    seen = [branch.seen(element) for branch in branches]
    if all(ground[0] <= s[0] and s[1] <= ground[1] and ground[2] <= s[2] and s[3] <= ground[3] for s in seen):
        return seen, True
    frames = []
    for branch in branches:
        half = (branch.view or branch.step) // 2
        row, column = (e * branch.step for e in element)
        frames.append((row - half, row + half, column - half, column + half))
    return frames, False


def _overview(image: NDArray[np.uint8], branches: Sequence[Branch], element: tuple[int, int], width: int) -> Picture:
    """The image with the taps of all branches, and their receptive fields as frames."""
    ground = top, bottom, left, right = _ground(image, branches, element)
    unit = width / (right - left + 1)
    height = round((bottom - top + 1) * unit)
    parts: list[Part] = [
        Box(0, 0, width, height, fill="#eeeeee", line="#bbbbbb"),
        Bitmap(-left * unit, -top * unit, image.shape[1] * unit, image.shape[0] * unit, faded(image), True),
    ]
    frames, _ = _frames(ground, branches, element)
    for number, (branch, frame) in reversed(list(enumerate(zip(branches, frames, strict=True)))):
        colour = _SHADES[number % len(_SHADES)]
        first, last, begin, end = frame
        place = (begin - left) * unit, (first - top) * unit, (end - begin + 1) * unit, (last - first + 1) * unit
        parts.append(Box(*place, line=colour, line_width=1.3))
        side = branch.step * unit
        for row, column in branch.taps(element):
            x, y = (column - left) * unit - side / 2, (row - top) * unit - side / 2
            parts.append(Box(x, y, side, side, fill=colour, line="#ffffff", line_width=0.7))
    row, column = (e * branches[0].step for e in element)
    x, y = (column - left) * unit, (row - top) * unit
    radius = max(3.5, 0.55 * branches[0].step * unit)
    parts += [Dot(x, y, radius + 1.5, "#ffffff"), Dot(x, y, radius, CENTRE)]
    return Picture(width, height, (0, 0, width, height), parts)


def _legend(branches: Sequence[Branch], width: int) -> Picture:
    parts: list[Part] = []
    y = 13.0
    for number, branch in enumerate(branches):
        parts.append(Box(0, y - 11, 13, 13, fill=_SHADES[number % len(_SHADES)]))
        size = branch.field.size
        view = "" if branch.view is None else f"field of view {branch.view} px, "
        text = f"rate {branch.rate}, {branch.kernel} x {branch.kernel}: {view}receptive field {size[0]} x {size[1]} px"
        parts.append(Text(21, y, text, colour=INK))
        y += 21
    height = round(y - 8)
    return Picture(width, height, (0, 0, width, height), parts)


def _radius(values: NDArray[np.float32], centre: tuple[int, int], share: float) -> int:
    """The half side of the square around a pixel that holds a share of the sum."""
    rows, columns = np.ogrid[: values.shape[0], : values.shape[1]]
    distance = np.maximum(np.abs(rows - centre[0]), np.abs(columns - centre[1]))
    sums = np.cumsum(np.bincount(distance.ravel(), weights=values.ravel()))
    return int(np.searchsorted(sums, share * sums[-1]))


def _effective(
    values: NDArray[np.float32], branch: Branch, element: tuple[int, int], width: int, colour: str
) -> Picture:
    """The sensitivity of one branch as a heat map over the image, the receptive field as a frame."""
    centre = element[0] * branch.step, element[1] * branch.step
    unit = width / values.shape[1]
    height = round(values.shape[0] * unit)
    first, last, begin, end = branch.seen(element)
    first, begin = max(first, 0), max(begin, 0)
    last, end = min(last, values.shape[0] - 1), min(end, values.shape[1] - 1)
    bright = float(np.percentile(values[values > 0], 99.5)) if values.any() else 1.0
    shown = heat(np.sqrt(values), 0, bright**0.5)
    frame = Box(
        begin * unit, first * unit, (end - begin + 1) * unit, (last - first + 1) * unit, line=colour, line_width=1.6
    )
    parts: list[Part] = [Bitmap(0, 0, width, height, shown), frame]
    if not values.any():
        return titled(Picture(width, height, (0, 0, width, height), parts), f"rate {branch.rate}", ["no gradient here"])
    radius = _radius(values, centre, _SHARE)
    below = [f"{100 * _SHARE:.0f} % within {radius} px of the centre"]
    return titled(Picture(width, height, (0, 0, width, height), parts), f"rate {branch.rate}", below)


def aspp_figure(net: Net, image: NDArray[np.uint8], name: str, data: str = "data", *, effective: bool = True) -> Figure:
    """The fields of view of a net's parallel atrous branches, on an image, from the net itself.

    Parameters
    ----------
    net : Net
        Run forward on the image (from its top left corner). For ``effective`` with all blobs kept, gradients down to
        the input, and trained weights.
    image : (H, W, 3) uint8
    name : str
        What to call the net.
    data : str
        The net's input.
    effective : bool
        Also show how much each branch's feature at the centre changes with each pixel, by back-propagation.
    """
    branches = branches_of(net)
    element = _middle(net, branches[0])
    width = 440
    overview = stacked([_overview(image, branches, element, width), _legend(branches, width)])
    _, are_receptive = _frames(_ground(image, branches, element), branches, element)
    readers = "a filter reads" if len(branches) == 1 else f"{len(branches)} filters of different rates read"
    frames = "the receptive fields, all that these depend on" if are_receptive else "the nominal fields of view"
    caption = (
        f"{name}: to classify the orange position, {readers} the feature map (one element in {branches[0].step} "
        f"pixels) at the marked squares; frames are {frames}; grey is beyond the image. Rates and kernels are the "
        "prototxt's. The field of view is the paper's nominal one, (kernel - 1) x rate x stride + 32 pixels."
    )
    picture = overview
    if effective:
        cells = []
        for number, branch in enumerate(branches):
            values = sensitivity(net, branch, element, data)[: image.shape[0], : image.shape[1]]
            cells.append(_effective(values, branch, element, 200, _SHADES[number % len(_SHADES)]))
        maps = stacked([beside(cells[i : i + 2], 2 * GAP) for i in range(0, len(cells), 2)])
        heading = "effective receptive fields"
        picture = beside([overview, titled(maps, heading, size=14)], 2 * GAP)
        caption += (
            " Right: how much each filter's outputs there change with each pixel, by back-propagation (root of the sum "
            "of squared gradients over channels, estimated from 4 random sums; brightness by its square root), within "
            "the receptive field; below, the square that holds 95 % of it."
        )
    return Figure("aspp", "Fields of view of the atrous filters", caption, picture)
