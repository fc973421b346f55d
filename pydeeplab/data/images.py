"""Reading pictures and label maps, pixel for pixel as OpenCV reads them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pydeeplab.data.palette import decolorize
from pydeeplab.errors import DataError

__all__ = ["IMAGE_SUFFIXES", "image_size", "read_image", "read_label", "to_gray"]

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File name endings that `pydeeplab` takes for pictures when it walks through a folder."""

# Weights of red, green and blue in fixed point, their bits, and what is added before the shift: libpng's for the
# 0.299 and 0.587 that OpenCV asks of it, those of OpenCV's cvtColor, and those of OpenCV's other readers.
_CVT_COLOR = ((9798, 19235, 3735), 15, 1 << 14)
_LUMA = {"PNG": ((9797, 19234, 3737), 15, 0), "WEBP": _CVT_COLOR}
_OTHER_LUMA = ((4899, 9617, 1868), 14, 1 << 13)

PathLike = str | os.PathLike[str]

# Once for the process: filters are no business of threads. Beyond twice the size that it would warn of, Pillow raises.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@contextmanager
def _opened(path: PathLike, what: str) -> Iterator[Image.Image]:
    """Open a picture; everything that can go wrong becomes a `DataError` that names the file."""
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError:
        raise DataError(f"{what} '{os.fspath(path)}' does not exist") from None
    except IsADirectoryError:
        raise DataError(f"{what} '{os.fspath(path)}' is a folder, not a file") from None
    except UnidentifiedImageError:
        size = Path(path).stat().st_size
        hint = "the file is empty" if size == 0 else "its contents are of no known picture format"
        raise DataError(f"{what} '{os.fspath(path)}' cannot be read: {hint}") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{what} '{os.fspath(path)}' is too large: {error}") from None
    except PermissionError as error:
        raise DataError(f"{what} '{os.fspath(path)}' cannot be opened: {error.strerror}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{what} '{os.fspath(path)}' is damaged: {error}") from error


def _bytes_of_16_bits(picture: Image.Image) -> NDArray[np.uint8]:
    """The high bytes of a 16-bit grey picture."""
    return (np.asarray(picture).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)


def _luma(rgb: NDArray[np.uint8], formula: tuple[tuple[int, int, int], int, int]) -> NDArray[np.uint8]:
    weights, bits, half = formula
    return ((rgb.astype(np.int64) @ weights + half) >> bits).astype(np.uint8)


def to_gray(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luminance (H, W) of RGB pixels (H, W, 3) as OpenCV's ``cvtColor`` has it: 0.299 R + 0.587 G + 0.114 B.

    Examples
    --------
    >>> to_gray(np.array([[[255, 0, 0], [9, 9, 9]]], np.uint8)).tolist()
    [[76, 9]]
    """
    return _luma(rgb, _CVT_COLOR)


def _as_gray(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in ("L", "1", "LA", "La"):
        return np.array(picture.convert("L"))
    if picture.mode.startswith("I"):
        return _bytes_of_16_bits(picture)
    if picture.format == "JPEG":
        return np.array(picture.convert("L"))
    rgb = np.asarray(picture.convert("RGB"))
    luma = _luma(rgb, _LUMA.get(picture.format or "", _OTHER_LUMA))
    return np.where((rgb == rgb[..., :1]).all(axis=2), rgb[..., 0], luma)


def _as_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):
        gray = _bytes_of_16_bits(picture)
        return np.repeat(gray[:, :, None], 3, axis=2)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def read_image(path: PathLike, gray: bool = False, *, upright: bool = True) -> NDArray[np.uint8]:
    """Read a picture of any usual format as 8-bit RGB, or as 8-bit grey.

    Parameters
    ----------
    path
        A JPEG, PNG, BMP, TIFF, WebP, GIF (first frame), PPM or PGM file.
    gray
        Return luminance as OpenCV does when it reads a file as grey: the JPEG's own, else 0.299 R + 0.587 G + 0.114 B
        in libpng's fixed point for PNG and in OpenCV's for other formats.
    upright
        Turn the picture as its EXIF orientation says, as OpenCV's ``imread`` does since 3.1 (the one that Caffe
        calls); False leaves the pixels in the order of the file.

    Returns
    -------
    uint8 array
        (H, W, 3), red first, or (H, W) when ``gray``. Of 16-bit pictures the high bytes, alpha dropped (not blended),
        palettes looked up, as OpenCV does.

    Raises
    ------
    DataError
        The file does not exist, is empty, damaged or of no known format, or has floating-point pixels.
    """
    with _opened(path, "image") as picture:
        if gray and picture.format == "JPEG":
            picture.draft("L", None)
        picture.load()
        if upright:
            ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode == "F":
            raise DataError(f"image '{os.fspath(path)}' has floating-point pixels; convert it to 8 bits first")
        pixels = _as_gray(picture) if gray else _as_rgb(picture)
    return np.ascontiguousarray(pixels)


def image_size(path: PathLike, *, upright: bool = False) -> tuple[int, int]:
    """(height, width) of a picture, read from the file's header only.

    Parameters
    ----------
    path
        The file.
    upright
        As `read_image` turns it by its EXIF orientation; False gives the size in file order.

    Raises
    ------
    DataError
        The file does not exist or is no picture.
    """
    with _opened(path, "image") as picture:
        turned = upright and picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        return (picture.width, picture.height) if turned else (picture.height, picture.width)


def read_label(path: PathLike, palette: NDArray[np.uint8] | None = None, *, unknown: int | None = None) -> NDArray[Any]:
    """Read a label map: grey values or palette indices as they are, or colours looked up in ``palette``.

    Parameters
    ----------
    path
        An index PNG (grey values are classes), a palette PNG (indices are classes: not their colours, which is what
        OpenCV and so Caffe would read), or an RGB file.
    palette : (n, 3) uint8 array, optional
        Colours of the classes, for RGB files; see `voc_palette`.
    unknown : int, optional
        Label of colours that the palette lacks; by default they are an error.

    Returns
    -------
    (H, W) array
        uint8; int32 where the file has 16 bits.

    Raises
    ------
    DataError
        The file cannot be read, is a JPEG (whose values are not exact), or holds colours that no palette explains.
    """
    with _opened(path, "label") as picture:
        if picture.format == "JPEG":
            raise DataError(
                f"label '{os.fspath(path)}' is a JPEG: its compression changes label values. Store labels as PNG."
            )
        picture.load()
        mode = picture.mode
        if mode in ("L", "P", "1"):
            return np.array(picture, dtype=np.uint8)
        if mode.startswith("I"):
            return np.array(picture).astype(np.int32)
        if mode in ("LA", "La", "PA"):
            return np.array(picture.getchannel(0))
        if mode not in ("RGB", "RGBA", "RGBX"):
            raise DataError(f"label '{os.fspath(path)}' has mode {mode}; expected grey values, a palette or RGB")
        rgb = np.ascontiguousarray(np.asarray(picture)[:, :, :3])
    if palette is None:
        if (rgb == rgb[:, :, :1]).all():
            return np.ascontiguousarray(rgb[:, :, 0])
        row, column = np.argwhere((rgb != rgb[:, :, :1]).any(axis=2))[0]
        colour = ", ".join(map(str, rgb[row, column]))
        raise DataError(
            f"label '{os.fspath(path)}' holds colours, not classes: ({colour}) at row {row}, column {column}. "
            "Give the palette that it was made with, or convert it to an index PNG."
        )
    try:
        return decolorize(rgb, palette, unknown=unknown)
    except DataError as error:
        raise DataError(f"label '{os.fspath(path)}': {error}") from None
