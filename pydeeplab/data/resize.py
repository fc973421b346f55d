"""Resizing, bit for bit as OpenCV does it: no antialiasing, so that scales are those that nets were trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import get_backend
from pydeeplab.errors import DataError, UsageError, did_you_mean

__all__ = ["resize"]

METHODS = ("bilinear", "nearest")


def resize(image: NDArray[Any], height: int, width: int, method: str = "bilinear") -> NDArray[Any]:
    """Resize a picture or label map.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        uint8 or floating for "bilinear"; anything for "nearest".
    height, width
        The new size in pixels, at least 1.
    method : {"bilinear", "nearest"}
        "bilinear" samples at half-pixel centres: 8-bit images with OpenCV's 11-bit weights (equal to
        ``cv2.resize`` in every bit), floating ones in their own precision. "nearest" takes pixel
        ``floor(i * old / new)``, as ``INTER_NEAREST`` does. Neither antialiases when shrinking.

    Returns
    -------
    array
        (height, width) or (height, width, C), of the type of ``image``; a copy even when the size is unchanged.

    Raises
    ------
    UsageError
        The size is below 1, the method unknown, or "bilinear" is asked for labels (integers other than uint8).
    DataError
        The image is empty or has neither two nor three axes.

    Notes
    -----
    Source: OpenCV ``resize``; the recipe was checked against OpenCV 4.6 and 5.0.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or image.size == 0:
        raise DataError(f"expected an image of shape (H, W) or (H, W, C) with pixels in it, got shape {image.shape}")
    if height < 1 or width < 1:
        raise UsageError(f"an image cannot be resized to {height} x {width}")
    if method == "nearest":
        return _nearest(image, height, width)
    if method != "bilinear":
        raise UsageError(f"unknown method '{method}'; known are {', '.join(METHODS)}.{did_you_mean(method, METHODS)}")
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise UsageError(
            f"bilinear resizing needs uint8 or floating pixels, got {image.dtype}; labels need method='nearest'"
        )
    if image.shape[:2] == (height, width):
        return image.copy()
    return _bilinear(image, height, width)


def _bilinear(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    kernels = get_backend("reference" if image.dtype == np.float64 else "cpu").kernels
    source = image.astype(np.float32) if image.dtype == np.float16 else image
    source = np.ascontiguousarray(source).reshape(*image.shape[:2], -1)
    resized = np.empty((height, width, source.shape[2]), source.dtype)
    if source.dtype == np.uint8:
        kernels.image_resize_bilinear(source, resized)
    else:
        kernels.image_resize_bilinear_real(source, resized)
    return resized.reshape(height, width, *image.shape[2:]).astype(image.dtype, copy=False)


def _nearest(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    rows, columns = (
        np.minimum(np.floor(np.arange(new) * (1 / (new / old))).astype(np.intp), old - 1)
        for old, new in zip(image.shape[:2], (height, width), strict=True)
    )
    return np.take(np.take(image, rows, axis=0), columns, axis=1)
