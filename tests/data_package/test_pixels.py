"""Windows of pictures, and what a net reads of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.data.pixels import PixelTransform, Window

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (9, 13, 3), dtype=np.uint8)
PLANES = np.ascontiguousarray(PICTURE[:, :, ::-1].transpose(2, 0, 1))
MEAN = np.array([104.008, 116.669, 122.675])
MEAN_IMAGE = RANDOM.uniform(0, 200, (3, 9, 13)).astype(np.float32)
SIZE = 4, 6


def transform(*, by_pixel: bool = False) -> PixelTransform:
    return PixelTransform(get_backend("cpu"), MEAN, 0.017, reverse=True, mean_image=MEAN_IMAGE if by_pixel else None)


def numbers(made: PixelTransform, window: Window) -> np.ndarray:
    blob = np.full((3, *SIZE), np.nan, np.float32)
    made(window, blob)
    return blob


@pytest.mark.parametrize("by_pixel", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_cutting_pixels_off_changes_nothing(by_pixel: bool, mirror: bool) -> None:
    made, window = transform(by_pixel=by_pixel), Window(PICTURE, 5, 7, mirror)
    cut = window.cut(*SIZE)
    assert cut.pixels.shape == (*SIZE, 3)
    assert cut.corner == window.corner == (5, 7)
    expected = numbers(made, window)
    np.testing.assert_array_equal(numbers(made, replace(cut, pixels=cut.pixels.copy())), expected)


@pytest.mark.parametrize("by_pixel", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_planes_are_computed_in_single_precision(by_pixel: bool, dtype: type) -> None:
    window = Window(PLANES.astype(dtype), 5, 7, True, in_planes=True).cut(*SIZE)
    mean = MEAN_IMAGE[:, 5:9, 7:13] if by_pixel else MEAN.astype(np.float32)[:, None, None]
    expected = (PLANES[:, 5:9, 7:13].astype(np.float32) - mean) * np.float32(0.017)
    np.testing.assert_array_equal(numbers(transform(by_pixel=by_pixel), window), expected[:, :, ::-1])


def test_pictures_less_a_mean_image_are_what_their_planes_are() -> None:
    made = transform(by_pixel=True)
    planes = Window(PLANES, 2, 3, True, in_planes=True).cut(*SIZE)
    np.testing.assert_array_equal(numbers(made, Window(PICTURE, 2, 3, True)), numbers(made, planes))


def test_bytes_of_any_shape_become_numbers() -> None:
    values = RANDOM.integers(0, 256, (2, 1, 5, 7), dtype=np.uint8)
    blob = np.empty(values.shape, np.float32)
    transform().widen(values, blob)
    np.testing.assert_array_equal(blob, values)
    part = np.empty((2, 1, 5, 3), np.float32)
    transform().widen(values[:, :, :, 1:4], part, mirror=True)
    np.testing.assert_array_equal(part, values[:, :, :, 3:0:-1])


@pytest.mark.parametrize(
    ("label", "ignore", "fits"),
    [
        (np.zeros((2, 2), np.uint8), 255, True),
        (np.zeros((2, 2), np.uint8), 256, False),
        (np.zeros((2, 2), np.uint8), -1, False),
        (np.array([[0, 255]], np.int32), 0, True),
        (np.array([[0, 256]], np.int32), 0, False),
        (np.array([[-1, 3]], np.int32), 0, False),
        (np.zeros((0, 2), np.int32), 0, True),
    ],
)
def test_labels_that_fit_bytes(label: np.ndarray, ignore: int, fits: bool) -> None:
    window = Window(PICTURE, label=label, ignore_label=ignore)
    assert window.label_fits(np.dtype(np.uint8)) == fits
