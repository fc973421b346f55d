"""Pictures for people: label maps over images, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pydeeplab.data.palette import Colours, check_labels
from pydeeplab.errors import DataError, UsageError

__all__ = ["add_legend", "label_edges", "overlay"]


def label_edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels (H, W) that have a right, left, upper or lower neighbour with another label."""
    edge = np.zeros(labels.shape, bool)
    across = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    edge[:, :-1] |= across
    edge[:, 1:] |= across
    edge[:-1] |= down
    edge[1:] |= down
    return edge


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[Any],
    palette: Colours,
    alpha: float = 0.5,
    *,
    clear: Sequence[int] = (),
    outline: bool = True,
) -> NDArray[np.uint8]:
    """Lay the colours of a label map over its picture.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB; grey (H, W) is taken too.
    labels : (H, W) integers
    palette : (n, 3) uint8 array
    alpha
        Share of the colour, 0 (only the picture) to 1 (only colours).
    clear
        Classes that are left as they are, such as a background.
    outline
        Draw the borders between classes in full colour.

    Returns
    -------
    (H, W, 3) uint8 array

    Raises
    ------
    DataError
        Sizes differ, or a label has no colour.
    UsageError
        ``alpha`` is not in 0..1.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha must be in 0..1, got {alpha}")
    labels = check_labels(labels, len(palette))
    if image.shape[:2] != labels.shape:
        sizes = [f"{height} x {width}" for height, width in (image.shape[:2], labels.shape)]
        raise DataError(f"the image is {sizes[0]} (height x width), its label map {sizes[1]}; they must be equal")
    base = np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
    colours = np.take(palette, labels, axis=0)
    share = np.full(labels.shape, round(alpha * 256), np.int32)
    if outline:
        share[label_edges(labels)] = 256 if alpha else 0
    share[np.isin(labels, list(clear))] = 0
    mixed = base.astype(np.int32)
    mixed += ((colours.astype(np.int32) - mixed) * share[:, :, None] + 128) >> 8
    return mixed.astype(np.uint8)


def _font(size: float) -> Any:
    return ImageFont.load_default(size=size)


def add_legend(
    picture: NDArray[np.uint8], entries: Sequence[tuple[str, str, Sequence[int]]], *, size: float | None = None
) -> NDArray[np.uint8]:
    """Put a legend under a picture: a coloured box, a name and a remark per entry, in as many columns as fit.

    Parameters
    ----------
    picture : (H, W, 3) uint8 array
    entries
        (name, remark, (red, green, blue)) in the order to show; with none the picture is returned as it is.
    size : float, optional
        Height of the letters in pixels; chosen from the picture's width by default.

    Returns
    -------
    (H + h, W', 3) uint8 array
        White below; wider than the picture only where a single entry would not fit.
    """
    if not entries:
        return picture
    height, width = picture.shape[:2]
    letters = size or float(np.clip(width / 36, 11, 28))
    font = _font(letters)
    box, gap = round(letters * 1.1), round(letters * 0.5)
    line = round(letters * 1.6)
    margin = round(letters * 0.7)
    name_width, remark_width = (int(np.ceil(max(font.getlength(entry[i]) for entry in entries))) for i in (0, 1))
    cell = box + gap + name_width + gap + remark_width + 3 * gap
    columns = max(1, min(len(entries), (width - 2 * margin + 3 * gap) // cell))
    rows = -(-len(entries) // columns)
    canvas = Image.new("RGB", (max(width, 2 * margin + cell - 3 * gap), height + rows * line + 2 * margin), "white")
    canvas.paste(Image.fromarray(picture), ((canvas.width - width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for index, (name, remark, colour) in enumerate(entries):
        column, row = divmod(index, rows)
        left = margin + column * cell
        top = height + margin + row * line + (line - box) // 2
        draw.rounded_rectangle(
            (left, top, left + box, top + box), box / 5, tuple(int(c) for c in colour), (176, 176, 176)
        )
        text, baseline = left + box + gap, top + round(box / 2 + 0.36 * letters)
        draw.text((text, baseline), name, fill=(32, 32, 32), font=font, anchor="ls")
        draw.text(
            (text + name_width + gap + remark_width, baseline), remark, fill=(128, 128, 128), font=font, anchor="rs"
        )
    return np.array(canvas)
