"""Accuracy, SegAccuracy and ArgMax."""

import numpy as np
import pytest

from pydeeplab.errors import DataError, LayerError, ShapeError
from pydeeplab.net import Net
from tests.layers.nets import net_text, run

RANDOM = np.random.default_rng(11)
SCORES = RANDOM.standard_normal((3, 5, 4, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, (3, 1, 4, 6)).astype(np.float32)


def accuracy(scores: np.ndarray, labels: np.ndarray, param: str = "", tops: str = 'top: "a"'):
    return run(f'type: "Accuracy" {tops} accuracy_param {{ {param} }}', {"x": scores, "t": labels})


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_accuracy(top_k: int) -> None:
    best = np.argsort(-SCORES, axis=1)[:, :top_k]
    expected = (best == LABELS).any(axis=1).mean()
    assert float(accuracy(SCORES, LABELS, f"top_k: {top_k}").blobs["a"].data) == pytest.approx(expected)


def test_accuracy_counts_a_tie_as_a_miss() -> None:
    scores = np.float32([[1, 1, 0], [2, 1, 0]])
    assert float(accuracy(scores, np.float32([0, 0])).blobs["a"].data) == 0.5
    assert float(accuracy(scores, np.float32([0, 0]), "top_k: 2").blobs["a"].data) == 1


def test_accuracy_per_class_and_ignored_labels() -> None:
    scores = np.float32([[3, 0, 0], [3, 0, 0], [0, 3, 0], [0, 3, 0]])
    net = accuracy(scores, np.float32([0, 1, 1, 9]), "ignore_label: 9", 'top: "a" top: "each"')
    assert float(net.blobs["a"].data) == pytest.approx(2 / 3)
    np.testing.assert_allclose(net.blobs["each"].data, [1, 0.5, 0])


def test_accuracy_of_nothing_is_0() -> None:
    assert float(accuracy(np.float32([[1, 2]]), np.float32([9]), "ignore_label: 9").blobs["a"].data) == 0


def test_accuracy_along_the_last_axis() -> None:
    scores = SCORES.transpose(0, 2, 3, 1).copy()
    expected = (np.argmax(scores, axis=-1) == LABELS[:, 0]).mean()
    assert float(accuracy(scores, LABELS[:, 0].copy(), "axis: -1").blobs["a"].data) == pytest.approx(expected)


def test_wrong_accuracies() -> None:
    with pytest.raises(LayerError, match=r"top_k must be in 1\.\.5.*got 6"):
        accuracy(SCORES, LABELS, "top_k: 6")
    with pytest.raises(ShapeError, match="3 x 24 = 72 labels"):
        accuracy(SCORES, LABELS[:2].copy())
    with pytest.raises(DataError, match="unexpected label 7 at item 0, pixel y=0, x=0"):
        accuracy(SCORES, np.full_like(LABELS, 7))


def confusion_of(scores: np.ndarray, labels: np.ndarray, ignored: tuple[int, ...] = ()) -> np.ndarray:
    matrix = np.zeros((scores.shape[1],) * 2, np.int64)
    for label, prediction in zip(labels.reshape(-1).astype(int), np.argmax(scores, axis=1).reshape(-1), strict=True):
        if label not in ignored:
            matrix[label, prediction] += 1
    return matrix


def seg_accuracy(scores: np.ndarray, labels: np.ndarray, param: str = "") -> Net:
    return run(f'type: "SegAccuracy" top: "a" seg_accuracy_param {{ {param} }}', {"x": scores, "t": labels})


def test_seg_accuracy() -> None:
    labels = LABELS.copy()
    labels[1, 0, 2] = 255
    net = seg_accuracy(SCORES, labels, "ignore_label: 255 ignore_label: 3")
    m = confusion_of(SCORES, labels, (255, 3))
    np.testing.assert_array_equal(net.layers[-1].confusion, m)
    recall = [m[i, i] / m[i].sum() for i in range(5) if m[i].sum()]
    iou = [m[i, i] / (m[i].sum() + m[:, i].sum() - m[i, i]) for i in range(5)]
    assert net.blobs["a"].shape == (1, 1, 1, 3)
    np.testing.assert_allclose(
        net.blobs["a"].data[0, 0, 0], [np.trace(m) / m.sum(), np.mean(recall), np.mean(iou)], rtol=1e-6
    )


def test_seg_accuracy_counts_an_absent_class_as_right_in_the_iou() -> None:
    scores = np.zeros((1, 3, 1, 4), np.float32)
    scores[0, 0], scores[0, 1] = [[1, 1, 0, 0]], [[0, 0, 1, 1]]
    net = seg_accuracy(scores, np.float32([0, 0, 0, 1]).reshape(1, 1, 1, 4))
    np.testing.assert_allclose(
        net.blobs["a"].data[0, 0, 0], [3 / 4, (2 / 3 + 1) / 2, (2 / 3 + 1 / 2 + 1) / 3], rtol=1e-6
    )


def test_seg_accuracy_of_ties_takes_the_larger_channel() -> None:
    net = seg_accuracy(np.ones((1, 4, 2, 2), np.float32), np.full((1, 1, 2, 2), 3, np.float32))
    assert net.blobs["a"].data[0, 0, 0, 0] == 1


def test_seg_accuracy_with_nothing_labelled() -> None:
    net = seg_accuracy(SCORES, np.full_like(LABELS, 255), "ignore_label: 255")
    np.testing.assert_array_equal(net.blobs["a"].data[0, 0, 0], [0, 0, 1])


@pytest.mark.parametrize("reset", [True, False])
def test_seg_accuracy_accumulates_unless_reset(reset: bool) -> None:
    net = seg_accuracy(SCORES, LABELS, f"reset: {str(reset).lower()}")
    net.forward()
    assert net.layers[-1].confusion.sum() == (1 if reset else 2) * LABELS.size
    net.layers[-1].reset()
    assert net.layers[-1].confusion.sum() == 0


def test_wrong_seg_accuracies() -> None:
    labels = LABELS.copy()
    labels[2, 0, 3, 5] = 17
    with pytest.raises(DataError, match=r"layer 'L'.*unexpected label 17 at item 2, pixel y=3, x=5.*none is ignored"):
        seg_accuracy(SCORES, labels)
    with pytest.raises(ShapeError, match=r"labels of shape \(3, 1, 4, 6\), got \(3, 1, 6, 4\)"):
        seg_accuracy(SCORES, LABELS.reshape(3, 1, 6, 4))
    with pytest.raises(ShapeError, match="labels of shape"):
        seg_accuracy(SCORES, SCORES)


def argmax(param: str, x: np.ndarray) -> np.ndarray:
    return run(f'type: "ArgMax" top: "y" argmax_param {{ {param} }}', {"x": x}).blobs["y"].data


def test_argmax_along_channels() -> None:
    np.testing.assert_array_equal(argmax("axis: 1", SCORES), np.argmax(SCORES, axis=1)[:, None])
    np.testing.assert_array_equal(argmax("axis: 1 out_max_val: true", SCORES), SCORES.max(axis=1, keepdims=True))
    np.testing.assert_array_equal(argmax("axis: -1", SCORES), np.argmax(SCORES, axis=3)[..., None])


@pytest.mark.parametrize("top_k", [1, 3])
def test_argmax_of_an_item(top_k: int) -> None:
    flat = SCORES.reshape(3, -1)
    order = np.argsort(-flat, axis=1)[:, :top_k]
    y = argmax(f"top_k: {top_k}", SCORES)
    assert y.shape == (3, 1, top_k, 1)
    np.testing.assert_array_equal(y[:, 0, :, 0], order)
    y = argmax(f"top_k: {top_k} out_max_val: true", SCORES)
    assert y.shape == (3, 2, top_k, 1)
    np.testing.assert_array_equal(y[:, 0, :, 0], order)
    np.testing.assert_array_equal(y[:, 1, :, 0], np.take_along_axis(flat, order, axis=1))
    assert argmax("", flat).shape == (3, 1, 1)


def test_argmax_of_ties_is_the_larger_index() -> None:
    x = np.float32([[1, 7, 7, 0, 7]])
    assert argmax("axis: 1", x) == 4
    assert argmax("", x) == 4
    np.testing.assert_array_equal(argmax("axis: 1 top_k: 4", x), [[4, 2, 1, 0]])


def test_argmax_of_too_many() -> None:
    with pytest.raises(LayerError, match=r"top_k must be in 1\.\.5.*got 6"):
        argmax("axis: 1 top_k: 6", SCORES)


@pytest.mark.parametrize("layer", ['type: "Accuracy" top: "a"', 'type: "SegAccuracy" top: "a"'])
def test_measures_have_no_gradient(layer: str) -> None:
    net = Net.from_text("force_backward: true\n" + net_text(layer, x=SCORES.shape, t=LABELS.shape))
    net.forward()
    net.backward()
    assert not net.blobs["x"].diff.any()
