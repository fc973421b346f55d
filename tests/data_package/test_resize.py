"""Resizing, against vectors recorded from OpenCV 4.6 (5.0 gives the same): sizes, channels and values at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab.data import resize
from pydeeplab.errors import DataError, UsageError
from tests.support.external import DATA

with np.load(DATA / "resize_opencv.npz") as archive:
    RECORDED = {name: archive[name] for name in archive.files}
CASES = sorted({int(name.partition("/")[0]) for name in RECORDED})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_equals_opencv_in_every_bit(case: int, method: str) -> None:
    expected = RECORDED[f"{case}/{method}"]
    got = resize(RECORDED[f"{case}/in"], *expected.shape[:2], method)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("case", CASES[:12])
def test_floats_follow_the_bytes(case: int) -> None:
    image, expected = RECORDED[f"{case}/in"], RECORDED[f"{case}/bilinear"]
    for dtype in (np.float32, np.float64):
        got = resize(image.astype(dtype), *expected.shape[:2])
        assert got.dtype == dtype
        assert np.abs(got - expected).max() <= 1  # rounding of the weights to 11 bits and of the result


def test_labels_keep_their_values_and_type() -> None:
    labels = np.array([[0, 300], [70000, 255]], np.int32)
    got = resize(labels, 5, 3, "nearest")
    assert got.dtype == np.int32
    assert set(np.unique(got)) == {0, 300, 70000, 255}


def test_grey_images_have_two_axes_in_and_out() -> None:
    image = np.arange(35, dtype=np.uint8).reshape(5, 7)
    np.testing.assert_array_equal(resize(image, 9, 4), resize(image[:, :, None], 9, 4)[:, :, 0])


def test_an_unchanged_size_gives_a_copy() -> None:
    image = np.zeros((3, 4, 3), np.uint8)
    same = resize(image, 3, 4)
    same[...] = 9
    assert not image.any()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60), st.integers(0, 255))
@settings(deadline=None, max_examples=60)
def test_a_flat_image_stays_flat(height: int, width: int, new_height: int, new_width: int, value: int) -> None:
    image = np.full((height, width, 3), value, np.uint8)
    for method in ("bilinear", "nearest"):
        assert (resize(image, new_height, new_width, method) == value).all()


@given(st.integers(2, 30), st.integers(1, 60))
@settings(deadline=None, max_examples=40)
def test_transposing_commutes_where_nothing_is_cut(size: int, new: int) -> None:
    image = np.random.default_rng(size).integers(0, 256, (size, size), dtype=np.uint8)
    rows = resize(image, new, new).astype(int)
    columns = resize(np.ascontiguousarray(image.T), new, new).T.astype(int)
    assert np.abs(rows - columns).max() <= 1  # the two passes round at different places


def test_slices_of_larger_arrays_are_taken() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image[3:9, 2:17, ::-1], 4, 5), resize(image[3:9, 2:17, ::-1].copy(), 4, 5))


def test_errors_name_the_way_out() -> None:
    labels = np.zeros((2, 2), np.int32)
    with pytest.raises(UsageError, match="method='nearest'"):
        resize(labels, 3, 3)
    with pytest.raises(UsageError, match="Did you mean 'bilinear'"):
        resize(labels, 3, 3, "bilinea")
    with pytest.raises(UsageError, match="0 x 3"):
        resize(labels, 0, 3, "nearest")
    with pytest.raises(DataError, match=r"\(0, 4\)"):
        resize(np.zeros((0, 4), np.uint8), 3, 3)
