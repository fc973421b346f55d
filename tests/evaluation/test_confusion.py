"""Scores of label maps."""

import numpy as np
import pytest

from pydeeplab.errors import DataError
from pydeeplab.evaluation import ConfusionMatrix


def test_scores_by_hand() -> None:
    scores = ConfusionMatrix(3)
    scores.update(np.array([[0, 0, 1], [1, 255, 0]]), np.array([[0, 1, 1], [1, 2, 0]]))
    np.testing.assert_array_equal(scores.counts, [[2, 1, 0], [0, 2, 0], [0, 0, 0]])
    np.testing.assert_allclose(scores.iou(), [2 / 3, 2 / 3, 0])
    assert scores.mean_iou() == pytest.approx(4 / 9)
    assert scores.pixel_accuracy() == pytest.approx(4 / 5)
    np.testing.assert_allclose(scores.class_accuracy(), [2 / 3, 1, 0])


def test_parts_add_up_to_the_whole() -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 4, (2, 6, 50, 40))
    whole, parts = ConfusionMatrix(4, ignore=None), ConfusionMatrix(4, ignore=None)
    whole.update(truth, predicted)
    for t, p in zip(truth, predicted, strict=True):
        part = ConfusionMatrix(4, ignore=None)
        part.update(t, p)
        parts.merge(part)
    np.testing.assert_array_equal(whole.counts, parts.counts)


def test_out_of_range_labels_are_named() -> None:
    with pytest.raises(DataError, match=r"true label 7 at pixel \(1, 0\)"):
        ConfusionMatrix(3).update(np.array([[0, 1], [7, 0]]), np.zeros((2, 2), int))
    with pytest.raises(DataError, match="predicted label -1"):
        ConfusionMatrix(3).update(np.zeros(2, int), np.array([0, -1]))
    with pytest.raises(DataError, match="of one size"):
        ConfusionMatrix(3).update(np.zeros(2, int), np.zeros(3, int))
