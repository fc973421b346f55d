"""Bands around object borders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation import ConfusionMatrix, Trimap, border_distance


def dilated(mask: np.ndarray, width: int) -> np.ndarray:
    """Dilation by a (2 width + 1)^2 square, pixel by pixel."""
    out = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        out[max(0, row - width) : row + width + 1, max(0, column - width) : column + width + 1] = True
    return out


def label_map(seed: int, void: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, random.integers(1, 30, 2))
    labels[random.random(labels.shape) < void] = 255
    return labels


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]), st.integers(1, 12))
def test_bands_are_dilations_of_the_void(seed: int, void: float, width: int) -> None:
    truth = label_map(seed, void)
    expected = dilated(truth == 255, width) & (truth != 255)
    distance = border_distance(truth)
    np.testing.assert_array_equal((distance >= 1) & (distance <= width), expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_bands_around_edges(seed: int, width: int) -> None:
    truth = np.kron(label_map(seed, 0.1), np.ones((3, 4), int))
    edges = np.zeros(truth.shape, bool)
    for row in range(truth.shape[0]):
        for column in range(truth.shape[1]):
            for r, c in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if 0 <= r < truth.shape[0] and 0 <= c < truth.shape[1] and truth[r, c] != truth[row, column]:
                    edges[row, column] = True
    expected = dilated(edges, width - 1) & (truth != 255)
    distance = border_distance(truth, around="edges")
    np.testing.assert_array_equal((distance >= 1) & (distance <= width), expected)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_each_band_is_its_own_confusion_matrix(seed: int) -> None:
    truths = [label_map(seed + i, 0.05) for i in range(3)]
    random = np.random.default_rng(seed)
    trimap = Trimap(3, widths=9)
    expected = {w: ConfusionMatrix(3) for w in (1, 4, 9)}
    for truth in truths:
        predicted = random.integers(0, 3, truth.shape)
        trimap.update(truth, predicted)
        for width, matrix in expected.items():
            band = dilated(truth == 255, width) & (truth != 255)
            matrix.update(truth[band], predicted[band])
    for width, matrix in expected.items():
        np.testing.assert_array_equal(trimap.matrix(width).counts, matrix.counts)
        np.testing.assert_equal(trimap.mean_iou()[width - 1], matrix.mean_iou("skip"))


def test_by_hand() -> None:
    trimap = Trimap(3, widths=3)
    trimap.update(np.array([[255, 0, 0, 1, 1]]), np.array([[2, 0, 1, 1, 0]]))
    np.testing.assert_array_equal(trimap.widths, [1, 2, 3])
    np.testing.assert_allclose(trimap.pixel_accuracy(), [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(trimap.mean_iou(), [1, 1 / 4, 1 / 2])
    np.testing.assert_allclose(trimap.mean_class_accuracy(), [1, 1 / 2, 3 / 4])


def test_parts_add_up_and_reset() -> None:
    whole, parts = Trimap(3, widths=5), Trimap(3, widths=5)
    for seed in range(4):
        truth = label_map(seed, 0.1)
        part = Trimap(3, widths=5)
        part.update(truth, truth % 3)
        whole.update(truth, truth % 3)
        parts.merge(part)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    parts.reset()
    assert not parts.counts.any()
    with pytest.raises(DataError, match="cannot merge"):
        whole.merge(Trimap(3, widths=4))


def test_no_border_no_scores() -> None:
    trimap = Trimap(2, widths=2)
    trimap.update(np.zeros((4, 4), int), np.zeros((4, 4), int))
    assert np.isnan(trimap.mean_iou()).all()
    assert np.isnan(trimap.pixel_accuracy()).all()
    assert json.loads(json.dumps(trimap.summary(), allow_nan=False))["mean_iou"] == [None, None]


def test_wrong_usage() -> None:
    with pytest.raises(UsageError, match="at least 1 pixel"):
        Trimap(2, widths=0)
    with pytest.raises(UsageError, match="around must be"):
        Trimap(2, around="objects")
    with pytest.raises(UsageError, match=r"1\.\.3, got 4"):
        Trimap(2, widths=3).matrix(4)
    with pytest.raises(DataError, match=r"\(H, W\)"):
        border_distance(np.zeros(5, int))
