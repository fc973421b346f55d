"""Softmax and SoftmaxWithLoss."""

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.errors import DataError, LayerError, ShapeError
from pydeeplab.layer import TRAIN
from pydeeplab.net import Net
from tests.layers.nets import net_text, run
from tests.support.gradient import check_gradient
from tests.support.threads import num_threads

RANDOM = np.random.default_rng(3)
SCORES = RANDOM.standard_normal((2, 5, 4, 3)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, (2, 1, 4, 3)).astype(np.float32)
LABELS[0, 0, 1, :2] = 255
LOSS = 'type: "SoftmaxWithLoss" top: "loss"'


def log_probabilities() -> np.ndarray:
    """ln p of each label, in double; 0 where the label is 255."""
    x = SCORES.astype(np.float64)
    logs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    classes = np.where(LABELS == 255, 0, LABELS).astype(int)
    return np.where(LABELS == 255, 0, np.take_along_axis(logs, classes, axis=1))


def loss(param: str, labels: np.ndarray = LABELS) -> float:
    return float(run(f"{LOSS} loss_param {{ {param} }}", {"x": SCORES, "t": labels}).blobs["loss"].data)


@pytest.mark.parametrize(
    ("param", "divisor"),
    [
        ("", 22),
        ("normalization: VALID", 22),
        ("normalization: FULL", 24),
        ("normalization: BATCH_SIZE", 2),
        ("normalization: NONE", 1),
        ("normalize: true", 22),
        ("normalize: false", 2),
        ("normalize: true normalization: FULL", 24),
    ],
)
def test_normalisation(param: str, divisor: float) -> None:
    assert loss(f"ignore_label: 255 {param}") == pytest.approx(-log_probabilities().sum() / divisor, rel=1e-6)


def test_several_ignored_labels() -> None:
    kept = ~np.isin(LABELS, (255, 2))
    expected = -log_probabilities()[kept].mean()
    assert loss("ignore_label: 255 ignore_labels: 2") == pytest.approx(expected, rel=1e-6)


def weights_of(weights: list[float]) -> np.ndarray:
    return np.where(LABELS == 255, 0, np.array(weights)[np.where(LABELS == 255, 0, LABELS).astype(int)])


def test_class_weights_are_a_weighted_mean(tmp_path) -> None:
    weights = [0.5, 2, 0, 1, 3]
    w = weights_of(weights)
    expected = -(w * log_probabilities()).sum() / w.sum()
    inline = " ".join(f"class_weight: {v}" for v in weights)
    assert loss(f"ignore_label: 255 {inline}") == pytest.approx(expected, rel=1e-6)
    (tmp_path / "weights.txt").write_text("0.5 2\n0\n1 3\n")
    assert loss(f'ignore_label: 255 weight_source: "{tmp_path}/weights.txt"') == pytest.approx(expected, rel=1e-6)
    assert loss(f"ignore_label: 255 normalization: FULL {inline}") == pytest.approx(expected * w.sum() / 24, rel=1e-6)


def test_class_weighting_divides_by_the_pixels() -> None:
    weights = [0.5, 2, 0, 1, 3]
    param = "weight_by_label_freqs: true " + " ".join(f"class_weighting: {v}" for v in weights)
    expected = -(weights_of(weights) * log_probabilities()).sum() / 22
    assert loss(f"ignore_label: 255 {param}") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weights", ["", "class_weight: [1, 2, 3, 4, 5]"])
def test_nothing_valid_gives_no_loss_and_no_gradient(weights: str) -> None:
    text = net_text(f"{LOSS} loss_param {{ ignore_label: 255 {weights} }}", x=SCORES.shape, t=LABELS.shape)
    net = Net.from_text("force_backward: true\n" + text, TRAIN)
    net.blobs["x"].data[...] = SCORES
    net.blobs["t"].data[...] = 255
    net.blobs["x"].diff[...] = 7
    assert net.forward()["loss"] == 0
    net.backward()
    assert not net.blobs["x"].diff.any()


def test_impossible_label_costs_minus_log_of_the_least_float() -> None:
    scores = np.array([[[[0.0]], [[500.0]]]], np.float32)
    net = run(LOSS, {"x": scores, "t": np.zeros((1, 1, 1, 1), np.float32)})
    assert float(net.blobs["loss"].data) == pytest.approx(87.33655, rel=1e-6)


def test_second_top_holds_the_probabilities() -> None:
    net = run(
        'type: "SoftmaxWithLoss" top: "loss" top: "p" loss_param { ignore_label: 255 }', {"x": SCORES, "t": LABELS}
    )
    other = run('type: "Softmax" top: "p"', {"x": SCORES})
    np.testing.assert_array_equal(net.blobs["p"].data, other.blobs["p"].data)


def test_unnamed_top() -> None:
    net = run('type: "SoftmaxWithLoss" loss_param { ignore_label: 255 }', {"x": SCORES, "t": LABELS})
    assert net._forward(0, len(net.layers) - 1) == pytest.approx(-log_probabilities().sum() / 22, rel=1e-6)


@pytest.mark.parametrize("value", [5, -1, 38, 1e20, np.nan])
def test_unexpected_label_is_named(value: float) -> None:
    labels = LABELS.copy()
    labels[1, 0, 2, 1] = value
    with pytest.raises(
        DataError,
        match=rf"layer 'L'.*unexpected label {value:g} at item 1, pixel y=2, x=1.*0\.\.4.*255".replace("+", r"\+"),
    ):
        loss("ignore_label: 255", labels)


def test_labels_are_truncated() -> None:
    labels = np.where(LABELS == 255, 255, LABELS + 0.75).astype(np.float32)
    assert loss("ignore_label: 255", labels) == loss("ignore_label: 255")


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        ("class_weight: [1, 2]", LayerError, "2 class weights for 5 classes"),
        ("class_weight: [1, 2, -3, 4, 5]", LayerError, "negative"),
        ("weight_by_label_freqs: true", LayerError, "class_weighting"),
        ('weight_source: "/no/such/file"', DataError, "weight_source"),
        ('class_weight: 1 weight_source: "x"', LayerError, "one of them"),
    ],
)
def test_wrong_weights(param: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        loss(param)


def test_wrong_number_of_labels() -> None:
    with pytest.raises(ShapeError, match="2 x 12 = 24 labels, got 120"):
        run(LOSS, {"x": SCORES, "t": SCORES})


@pytest.mark.parametrize(
    "param",
    [
        "ignore_label: 255",
        "normalization: NONE ignore_label: 255",
        "class_weight: [0.5, 2, 0, 1, 3] ignore_label: 255",
        "weight_by_label_freqs: true class_weighting: [0.5, 2, 0, 1, 3] ignore_label: 255",
    ],
)
def test_gradient_of_the_loss(param: str) -> None:
    text = net_text(f"{LOSS} loss_weight: 0.7 loss_param {{ {param} }}", x=SCORES.shape, t=LABELS.shape)
    check_gradient(text, inputs={"t": LABELS}, skip=("t",))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gradient_of_softmax(axis: int) -> None:
    check_gradient(net_text(f'type: "Softmax" top: "y" softmax_param {{ axis: {axis} }}', x=(3, 4, 2, 5)))


def test_softmax_in_place_agrees() -> None:
    apart = run('type: "Softmax" top: "y"', {"x": SCORES}).blobs["y"].data
    net = run('type: "Power" top: "z" } layer { name: "s" type: "Softmax" bottom: "z" top: "z"', {"x": SCORES})
    np.testing.assert_array_equal(net.blobs["z"].data, apart)


def test_loss_does_not_depend_on_the_number_of_threads() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((3, 21, 5000)).astype(np.float32)
    label = random.integers(0, 21, (3, 5000)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        p, sums = np.empty_like(x), np.empty(4)
        with num_threads(threads):
            get_backend("cpu").kernels.softmax_loss_forward(x, label, None, np.empty(0, np.int32), p, sums)
        results.append((sums.tobytes(), p.tobytes()))
    assert results[0] == results[1] == results[2]
