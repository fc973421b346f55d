"""Labels to colours and back, and label maps as PNG files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.errors import DataError
from pydeeplab.files import atomic_path

__all__ = ["Colours", "check_labels", "colorize", "decolorize", "voc_palette", "write_label_png", "write_png"]

Colours = NDArray[np.uint8]
"""(n, 3): red, green, blue of each class."""


def voc_palette() -> Colours:
    """PASCAL VOC's 256 colours: the bits of the class number, dealt to red, green and blue from the highest bit down.

    Returns
    -------
    (256, 3) uint8 array
        Red, green, blue. Class 0 is black; 255, the void border, is (224, 224, 192).

    Examples
    --------
    >>> voc_palette()[15].tolist()
    [192, 128, 128]
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((numbers >> (3 * bit + channel)) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def check_labels(labels: NDArray[Any], colours: int) -> NDArray[Any]:
    """The labels, if they are (H, W) integers of 0..colours-1; `DataError` otherwise."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "biu":
        raise DataError(f"expected a label map of integers of shape (H, W), got {labels.dtype} of shape {labels.shape}")
    if labels.size and (labels.min() < 0 or labels.max() >= colours):
        bad = np.argwhere((labels < 0) | (labels >= colours))[0]
        value = labels[tuple(bad)]
        raise DataError(f"label {value} at row {bad[0]}, column {bad[1]} has no colour; the palette has {colours}")
    return labels


def colorize(labels: NDArray[Any], palette: Colours) -> NDArray[np.uint8]:
    """Colours of a label map, (H, W, 3) RGB.

    Raises
    ------
    DataError
        The labels are no (H, W) integers, or one has no colour.
    """
    return np.take(palette, check_labels(labels, len(palette)), axis=0)


def decolorize(rgb: NDArray[np.uint8], palette: Colours, *, unknown: int | None = None) -> NDArray[np.uint8]:
    """Labels of a coloured map: the first palette entry with each pixel's colour.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
    palette : (n, 3) uint8 array
        At most 256 colours.
    unknown : int, optional
        Label of colours that the palette lacks (255, the void label, is usual).

    Raises
    ------
    DataError
        A colour is not in the palette and ``unknown`` is None; the message says where.
    """
    table = np.full(1 << 24, -1, np.int16)
    codes = palette.astype(np.int64) @ (65536, 256, 1)
    table[codes[::-1]] = np.arange(len(palette))[::-1]
    labels = table[rgb.astype(np.int64) @ (65536, 256, 1)]
    lost = labels < 0
    if lost.any():
        if unknown is None:
            row, column = np.argwhere(lost)[0]
            colour = ", ".join(map(str, rgb[row, column]))
            raise DataError(
                f"colour ({colour}) at row {row}, column {column} is not in the palette ({int(lost.sum())} such pixels)"
            )
        labels[lost] = unknown
    return labels.astype(np.uint8)


def write_png(path: str | os.PathLike[str], pixels: NDArray[Any]) -> None:
    """Write an (H, W) or (H, W, 3) uint8 array as PNG, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def write_label_png(path: str | os.PathLike[str], labels: NDArray[Any], palette: Colours | None = None) -> None:
    """Write a label map as PNG, atomically: indexed with a palette, or plain grey values without.

    Labels above 255 make a 16-bit grey PNG, which has no palette.

    Raises
    ------
    DataError
        The labels are no (H, W) integers in 0..65535.
    """
    labels = check_labels(labels, 65536)
    if labels.size and labels.max() > 255:
        picture = Image.fromarray(labels.astype(np.uint16))
    else:
        picture = Image.fromarray(np.ascontiguousarray(labels, np.uint8))
        if palette is not None:
            picture.putpalette(palette.astype(np.uint8).tobytes())
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
