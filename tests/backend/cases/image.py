"""Cases of the image family."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.kernels import Arguments, Case


def picture(r: Arguments, *shape: int) -> np.ndarray:
    """Random bytes, a third of them black or white so that rounding at the ends of the range is met."""
    values = r.int32(-60, 316, *shape)
    return values.clip(0, 255).astype(np.uint8)


def resize(height: int, width: int, new_height: int, new_width: int, channels: int = 3) -> list[Case]:
    """The byte and the floating kernel on one pair of sizes."""
    label = f"{height}x{width}x{channels} to {new_height}x{new_width}"

    def of_bytes(r: Arguments) -> list[Any]:
        return [picture(r, height, width, channels), np.full((new_height, new_width, channels), 77, np.uint8)]

    def of_reals(r: Arguments) -> list[Any]:
        return [r.real(height, width, channels), r.out(new_height, new_width, channels)]

    return [Case("image_resize_bilinear", of_bytes, label), Case("image_resize_bilinear_real", of_reals, label)]


def window(label: str, size: tuple[int, int, int], out: tuple[int, int], *rest: Any) -> Case:
    """A window of an image: ``rest`` is row, column, mirror, reverse, scale."""
    channels = size[2]

    def make(r: Arguments) -> list[Any]:
        return [picture(r, *size), np.linspace(99.1, 123.7, channels), r.out(channels, *out), *rest]

    return Case("image_to_blob", make, label)


def mean(label: str, size: tuple[int, int], out: tuple[int, int], *rest: Any, channels: int = 3) -> Case:
    """A blob less a mean image: ``rest`` is row, column, mirror, scale."""

    def make(r: Arguments) -> list[Any]:
        return [r.real(channels, *size), r.real(channels, *out), *rest]

    return Case("image_subtract_mean", make, label)


CASES = [
    *resize(33, 47, 33, 47),
    *resize(33, 47, 21, 90),
    *resize(60, 40, 30, 20),
    *resize(61, 40, 30, 20),
    *resize(60, 40, 30, 40),
    *resize(40, 50, 60, 75),
    *resize(17, 1, 4, 9),
    *resize(1, 1, 7, 5),
    *resize(1, 90, 3, 1, 1),
    *resize(100, 3, 7, 2, 1),
    *resize(9, 13, 117, 91, 4),
    window("inside", (20, 31, 3), (9, 11), 5, 7, False, False, 1.0),
    window("mirrored and reversed", (20, 31, 3), (9, 11), 11, 20, True, True, 0.017),
    window("padded", (20, 31, 3), (33, 40), 0, 0, False, True, 1.0),
    window("padded and mirrored", (20, 31, 3), (33, 25), 0, 3, True, False, 0.00390625),
    window("wider than the image from its last pixel", (4, 5, 1), (3, 4), 3, 4, True, False, 1.0),
    window("two channels", (6, 5, 2), (6, 5), 0, 0, False, True, 1.0),
    mean("whole", (9, 21), (9, 21), 0, 0, False, 1.0),
    mean("a window", (12, 40), (9, 19), 3, 20, False, 0.017),
    mean("a mirrored window", (12, 40), (9, 19), 1, 21, True, 0.00390625),
    mean("one value per channel", (1, 1), (7, 13), 4, 5, True, 0.017),
    mean("one pixel", (1, 1), (1, 1), 0, 0, False, 3.0, channels=1),
]
