"""A figure: a picture under a title and over a caption, put together from parts, and its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.files import write_bytes, write_text
from pydeeplab.plotting.layout import Bitmap, Box, Line, Part, Picture, Text, text_width
from pydeeplab.plotting.write import picture_png, picture_svg

__all__ = [
    "CENTRE",
    "GAP",
    "INK",
    "SOFT",
    "Figure",
    "beside",
    "moved",
    "ordinal",
    "photo",
    "stacked",
    "titled",
    "write_figure",
]

INK, SOFT = "#222222", "#555555"
CENTRE = "#e69f00"
"""Colour of the position that a drawing is about."""
GAP = 12
_MARGIN, _TITLE, _CAPTION, _LINE = 18, 17, 13, 18


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
        Its files' stem.
    title : str
    caption : str
        What is seen, and with which parameters; without line breaks.
    picture : Picture
    table : str
        The numbers behind it as CSV, if it shows any.
    """

    name: str
    title: str
    caption: str
    picture: Picture
    table: str = ""

    def framed(self) -> Picture:
        """The picture between its title and its caption."""
        width = max(self.picture.width, 420) + 2 * _MARGIN
        parts: list[Part] = []
        top = _MARGIN
        for line in _wrapped(self.title, width - 2 * _MARGIN, _TITLE):
            parts.append(Text(_MARGIN, top + 14, line, _TITLE, colour=INK, bold=True))
            top += 24
        body = moved(self.picture, _MARGIN + (width - 2 * _MARGIN - self.picture.width) / 2, top + 6)
        parts += body.parts
        top += 6 + self.picture.height + 24
        for line in _wrapped(self.caption, width - 2 * _MARGIN, _CAPTION):
            parts.append(Text(_MARGIN, top, line, _CAPTION, colour=SOFT))
            top += _LINE
        return Picture(width, top + _MARGIN - _LINE // 2, (0, 0, width, top), parts)


def _wrapped(text: str, width: float, size: int) -> list[str]:
    """Words in lines of at most this width."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def ordinal(number: int) -> str:
    """``second`` for 2."""
    return {2: "second", 3: "third", 4: "fourth"}.get(number, f"{number}th")


def moved(picture: Picture, x: float, y: float) -> Picture:
    """The same picture with all its parts shifted."""
    parts: list[Part] = []
    for part in picture.parts:
        if isinstance(part, Line):
            parts.append(dataclasses.replace(part, points=part.points + np.array([x, y])))
        else:
            parts.append(dataclasses.replace(part, x=part.x + x, y=part.y + y))
    left, top, right, bottom = picture.frame
    return Picture(picture.width, picture.height, (left + x, top + y, right + x, bottom + y), parts)


def beside(pictures: Sequence[Picture], gap: float = GAP) -> Picture:
    """Pictures from left to right, their tops in line."""
    parts: list[Part] = []
    x = 0.0
    for picture in pictures:
        parts += moved(picture, x, 0).parts
        x += picture.width + gap
    width, height = round(x - gap), max(p.height for p in pictures)
    return Picture(width, height, (0, 0, width, height), parts)


def stacked(pictures: Sequence[Picture], gap: float = GAP) -> Picture:
    """Pictures from top to bottom, their left sides in line."""
    parts: list[Part] = []
    y = 0.0
    for picture in pictures:
        parts += moved(picture, 0, y).parts
        y += picture.height + gap
    width, height = max(p.width for p in pictures), round(y - gap)
    return Picture(width, height, (0, 0, width, height), parts)


def photo(pixels: NDArray[np.uint8], width: int, *, lossy: bool = True) -> Picture:
    """An image (H, W, 3) or (H, W) at a width, with at most two pixels to a unit.

    ``lossy`` is for photographs, whose pixels may be averaged; those of label maps are picked.
    """
    pixels = np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    if pixels.shape[1] > 2 * width:
        how = Image.Resampling.BOX if lossy else Image.Resampling.NEAREST
        pixels = np.asarray(Image.fromarray(pixels).resize((2 * width, 2 * height), how))
    frame = Box(0, 0, width, height, line="#bbbbbb", line_width=0.6)
    return Picture(width, height, (0, 0, width, height), [Bitmap(0, 0, width, height, pixels, lossy), frame])


def titled(picture: Picture, title: str, below: Sequence[str] = (), *, size: int = 13) -> Picture:
    """A picture with a line of text above it and lines below it, no longer than it is wide where that is possible."""
    top = size + 8 if title else 0
    parts: list[Part] = [Text(0, top - 7, title, size, colour=INK)] if title else []
    parts += moved(picture, 0, top).parts
    y = top + picture.height + size + 3
    for line in below:
        parts.append(Text(0, y, line, size - 1, colour=SOFT))
        y += size + 4
    height = round(y - size) if below else top + picture.height
    return Picture(picture.width, height, (0, top, picture.width, top + picture.height), parts)


def write_figure(
    figure: Figure, folder: Path, formats: Sequence[str] = ("png", "svg"), *, scale: int = 2, colours: int | None = None
) -> list[Path]:
    """Write a figure's files, ``NAME.png``, ``NAME.svg``, and ``NAME.csv`` if it has a table; returns them.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    framed, written = figure.framed(), []
    for suffix in formats:
        path = folder / f"{figure.name}.{suffix}"
        if suffix == "png":
            write_bytes(path, picture_png(framed, scale=scale, colours=colours))
        else:
            write_text(path, picture_svg(framed, figure.title))
        written.append(path)
    if figure.table:
        written.append(folder / f"{figure.name}.csv")
        write_text(written[-1], figure.table)
    return written
