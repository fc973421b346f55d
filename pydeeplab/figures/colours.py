"""Numbers as colours: from dark to bright, and signed ones around white; and the scales beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.evaluation.thumbnails import heat
from pydeeplab.figures.figure import SOFT
from pydeeplab.plotting.layout import Bitmap, Box, Part, Picture, Text
from pydeeplab.plotting.ticks import format_tick

__all__ = ["faded", "heat", "scale_bar", "signed"]

_LOW, _MIDDLE, _HIGH = (np.array(c, np.float64) for c in ((5, 48, 97), (247, 247, 247), (127, 59, 8)))


def signed(values: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """Numbers from ``-limit`` (blue) over 0 (white) to ``limit`` (brown), (H, W, 3)."""
    share = np.clip(values / (limit or 1), -1, 1)[..., None]
    end = np.where(share < 0, _LOW, _HIGH)
    return np.rint(_MIDDLE + np.abs(share) ** 0.7 * (end - _MIDDLE)).astype(np.uint8)


def faded(image: NDArray[np.uint8], share: float = 0.45) -> NDArray[np.uint8]:
    """An image with white mixed in, as ground for drawings."""
    return np.rint(image * (1 - share) + 255 * share).astype(np.uint8)


def scale_bar(low: float, high: float, height: int, *, diverging: bool = False) -> Picture:
    """A vertical scale from ``low`` at the bottom to ``high`` at the top, with its ends named."""
    values = np.linspace(high, low, 128)[:, None]
    colours = signed(values, max(abs(low), abs(high))) if diverging else heat(values, low, high)
    parts: list[Part] = [
        Bitmap(0, 0, 12, height, colours),
        Box(0, 0, 12, height, line="#bbbbbb", line_width=0.6),
        Text(17, 11, format_tick(float(f"{high:.3g}")), 12, colour=SOFT),
        Text(17, height - 1, format_tick(float(f"{low:.3g}")), 12, colour=SOFT),
    ]
    return Picture(52, height, (0, 0, 12, height), parts)
