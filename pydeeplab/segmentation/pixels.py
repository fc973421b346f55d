"""Pictures as a net takes them: colour or grey bytes, and the mean of its channels."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_image, to_gray
from pydeeplab.errors import DataError, UsageError

__all__ = ["channel_means", "for_channels", "read_pixels"]

Pixels = NDArray[np.uint8]


def read_pixels(image: str | os.PathLike[str] | Pixels) -> Pixels:
    """RGB or grey bytes of a picture given as path or array.

    Raises
    ------
    DataError
        The picture cannot be read, or the array is none.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    array = np.asarray(image)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)) or not array.size:
        raise DataError(
            "expected a picture of bytes (uint8), (H, W, 3) RGB or (H, W) grey, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return array


def for_channels(image: Pixels, channels: int, *, gray: bool = False) -> Pixels:
    """The picture with so many channels, the last axis; on request grey first."""
    if (gray or channels == 1) and image.ndim == 3:
        image = to_gray(image)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], channels, axis=2)
    return np.ascontiguousarray(image)


def channel_means(mean: Sequence[float], channels: int, order: str) -> NDArray[np.float64]:
    """The mean of each channel, from one number, one for each, or (for grey) that of three colours.

    Raises
    ------
    UsageError
        There is another number of them, or ``order`` is neither "bgr" nor "rgb".

    Examples
    --------
    >>> channel_means(7, 3, "bgr").tolist()
    [7.0, 7.0, 7.0]
    """
    if order not in ("bgr", "rgb"):
        raise UsageError(f"order must be 'bgr' or 'rgb', got '{order}'")
    values = np.asarray(mean, np.float64).reshape(-1)
    if channels == 1 and len(values) == 3:
        blue, green, red = values if order == "bgr" else values[::-1]
        values = np.array([0.299 * red + 0.587 * green + 0.114 * blue])
    if len(values) not in (1, channels):
        raise UsageError(f"mean needs one number or {channels}, got {len(values)}")
    return np.ascontiguousarray(np.broadcast_to(values, channels))
