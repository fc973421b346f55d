"""Scores of label maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation import ConfusionMatrix

LABELS = arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 17)), elements=st.sampled_from([0, 1, 2, 255]))


def test_scores_by_hand() -> None:
    scores = ConfusionMatrix(3)
    scores.update(np.array([[0, 0, 1], [1, 255, 0]]), np.array([[0, 1, 1], [1, 2, 0]]))
    np.testing.assert_array_equal(scores.counts, [[2, 1, 0], [0, 2, 0], [0, 0, 0]])
    np.testing.assert_allclose(scores.iou(), [2 / 3, 2 / 3, 0])
    assert scores.mean_iou() == pytest.approx(4 / 9)
    assert scores.pixel_accuracy() == pytest.approx(4 / 5)
    np.testing.assert_allclose(scores.class_accuracy(), [2 / 3, 1, 0])
    np.testing.assert_allclose(scores.precision(), [1, 2 / 3, 0])
    assert scores.mean_class_accuracy() == pytest.approx(5 / 9)
    assert scores.frequency_weighted_iou() == pytest.approx(2 / 3)
    assert scores.absent() == [2]


def test_variants_of_the_mean_by_hand() -> None:
    """Class 0 occurs; 1 is predicted only; 2 does neither."""
    scores = ConfusionMatrix(3)
    scores.update(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(scores.iou(), [0.75, 0, 0])
    assert scores.mean_iou() == scores.mean_iou("zero") == 0.25
    assert scores.mean_iou("one") == pytest.approx(1.75 / 3)
    assert scores.mean_iou("skip") == 0.375
    assert scores.mean_iou("untrue") == 0.75
    with pytest.raises(UsageError, match="absent must be one of"):
        scores.mean_iou("two")


def test_nothing_counted() -> None:
    scores = ConfusionMatrix(2)
    assert scores.mean_iou() == scores.pixel_accuracy() == 0
    assert np.isnan(scores.mean_iou("skip"))
    assert json.loads(json.dumps(scores.summary(), allow_nan=False))["mean_iou_of_true_classes"] is None


def test_ignored_classes_leave_the_means() -> None:
    """A void class among the classes: its pixels do not count, but predicting it is wrong."""
    scores = ConfusionMatrix(3, ignore=(2, 255))
    scores.update(np.array([0, 0, 1, 2, 255]), np.array([0, 2, 1, 0, 1]))
    np.testing.assert_array_equal(scores.counts, [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    assert scores.mean_iou() == 0.75
    assert scores.mean_class_accuracy() == 0.75
    assert scores.absent() == []
    assert list(scores.summary(["a", "b", "void"])["classes"]) == ["a", "b"]


@settings(deadline=None)
@given(LABELS, st.randoms(use_true_random=False))
def test_counts_are_those_of_a_plain_loop(truth: np.ndarray, random: object) -> None:
    predicted = np.random.default_rng(random.randrange(1000)).integers(0, 3, truth.shape)  # type: ignore[attr-defined]
    expected = np.zeros((3, 3), int)
    for t, p in zip(truth.ravel(), predicted.ravel(), strict=True):
        if t != 255:
            expected[t, p] += 1
    scores = ConfusionMatrix(3)
    scores.update(truth, predicted)
    np.testing.assert_array_equal(scores.counts, expected)


@settings(deadline=None)
@given(LABELS)
def test_truth_scores_full_marks(truth: np.ndarray) -> None:
    scores = ConfusionMatrix(3)
    scores.update(truth, np.where(truth == 255, 1, truth))
    there = [c for c in range(3) if (truth == c).any()]
    assert scores.mean_iou() == pytest.approx(len(there) / 3)
    assert scores.mean_iou("one") == 1
    if there:
        assert scores.mean_iou("skip") == scores.pixel_accuracy() == scores.frequency_weighted_iou() == 1


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
    parts.reset()
    assert not parts.counts.any()
    with pytest.raises(DataError, match="5 classes with those of 4"):
        whole.merge(ConfusionMatrix(5))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint16, bool])
def test_types_and_strides(dtype: type) -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 2, (2, 30, 40)).astype(dtype)
    scores, plain = ConfusionMatrix(2), ConfusionMatrix(2)
    scores.update(truth[::2, ::3], predicted[::2, ::3])
    plain.update(truth[::2, ::3].astype(np.int32).copy(), predicted[::2, ::3].astype(np.int32).copy())
    np.testing.assert_array_equal(scores.counts, plain.counts)


def test_out_of_range_labels_are_named() -> None:
    scores = ConfusionMatrix(3)
    with pytest.raises(DataError, match=r"true label 7 at pixel \(1, 0\)"):
        scores.update(np.array([[0, 1], [7, 0]]), np.zeros((2, 2), int))
    with pytest.raises(DataError, match="predicted label -1"):
        scores.update(np.zeros(2, int), np.array([0, -1]))
    with pytest.raises(DataError, match="of one size"):
        scores.update(np.zeros(2, int), np.zeros(3, int))
    with pytest.raises(DataError, match="must be integers, got float64"):
        scores.update(np.zeros(2, int), np.zeros(2))
    assert not scores.counts.any()
    with pytest.raises(UsageError, match="at least one class"):
        ConfusionMatrix(0)
