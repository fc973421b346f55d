"""Pictures side by side with captions: what people look at to judge results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["contact_sheet"]

_GAP, _LINE, _FONT = 8, 22, 15
_PAPER, _INK = (255, 255, 255), (40, 40, 40)

Picture = NDArray[np.uint8]


def contact_sheet(
    rows: Sequence[Sequence[Picture]], titles: Sequence[str], captions: Sequence[Sequence[str]] = ()
) -> Picture:
    """Lay pictures out in a grid.

    Parameters
    ----------
    rows
        Each row's pictures, (H, W, 3) uint8 RGB; columns line up by the widest.
    titles
        A title for each column.
    captions
        For each row, a line under each of its pictures.

    Returns
    -------
    (H, W, 3) uint8
    """
    widths = [max(row[c].shape[1] for row in rows) for c in range(len(titles))]
    heights = [max(p.shape[0] for p in row) + (_LINE if captions else 0) for row in rows]
    lefts = np.cumsum([_GAP] + [w + _GAP for w in widths]).tolist()
    tops = np.cumsum([_GAP + _LINE] + [h + _GAP for h in heights]).tolist()
    sheet = Image.new("RGB", (lefts[-1], tops[-1]), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT)
    for left, title in zip(lefts, titles, strict=False):
        draw.text((left, _GAP - 2), title, fill=_INK, font=font)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (lefts[c], tops[r]))
            if captions:
                draw.text((lefts[c], tops[r] + picture.shape[0] + 1), captions[r][c], fill=_INK, font=font)
    return np.asarray(sheet)
