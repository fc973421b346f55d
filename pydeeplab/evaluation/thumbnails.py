"""Small pictures for reports, as data URIs: photographs, label maps, and maps of numbers in colours."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.data.palette import Colours

__all__ = ["heat", "label_uri", "photo_uri"]

_ANCHORS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64
)  # dark violet, blue, green, yellow: even steps in lightness


def _fit(size: tuple[int, int], width: int) -> tuple[int, int]:
    """(width, height) reduced to at most ``width``."""
    factor = min(1.0, width / size[0])
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _uri(picture: Image.Image, form: str, **options: Any) -> str:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def photo_uri(image: NDArray[np.uint8], width: int) -> str:
    """A photograph, (H, W, 3) RGB or (H, W) grey, as a JPEG of at most this width."""
    picture = Image.fromarray(image)
    return _uri(picture.resize(_fit(picture.size, width), Image.Resampling.BOX), "JPEG", quality=80, optimize=True)


def label_uri(labels: NDArray[Any], palette: Colours, width: int) -> str:
    """A label map in its classes' colours, as an index PNG of at most this width; classes are never mixed."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture = picture.resize(_fit(picture.size, width), Image.Resampling.NEAREST)
    picture.putpalette(palette.astype(np.uint8).tobytes())
    return _uri(picture, "PNG", optimize=True)


def heat(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Numbers as colours from dark violet (``low``) over green to yellow (``high``), (H, W, 3)."""
    share = np.clip((values - low) / ((high - low) or 1), 0, 1) * (len(_ANCHORS) - 1)
    below = np.minimum(share.astype(np.int64), len(_ANCHORS) - 2)
    rest = (share - below)[..., None]
    return np.rint(_ANCHORS[below] * (1 - rest) + _ANCHORS[below + 1] * rest).astype(np.uint8)
