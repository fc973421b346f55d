"""The losses other than SoftmaxWithLoss."""

import numpy as np
import pytest

from pydeeplab.errors import DataError, LayerError, ShapeError
from pydeeplab.proto import caffe_pb2
from tests.layers.nets import net_text, run
from tests.support.gradient import check_gradient

RANDOM = np.random.default_rng(5)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


A, B = normal(4, 3, 2), normal(4, 3, 2)
CLASSES = np.array([2, 0, 1, 2], np.float32)


def loss(layer: str, *arrays: np.ndarray) -> float:
    net = run(f'{layer} top: "loss"', dict(zip("abc", arrays, strict=False)))
    return float(net.blobs["loss"].data)


def gradient(layer: str, *arrays: np.ndarray, skip: tuple[str, ...] = ()) -> None:
    shapes = {n: a.shape for n, a in zip("abc", arrays, strict=False)}
    text = net_text(f'{layer} top: "loss" loss_weight: 1.5', **shapes)
    check_gradient(text, inputs=dict(zip("abc", arrays, strict=False)), skip=skip)


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        ("", ((A - B) ** 2).sum() / 8),
        ("euclidean_loss_param { type: L2 }", ((A - B) ** 2).mean() / 2),
        ("euclidean_loss_param { type: L2sqrt }", np.sqrt(((A - B) ** 2).mean())),
    ],
)
def test_euclidean(param: str, expected: float) -> None:
    layer = f'type: "EuclideanLoss" {param}'
    assert loss(layer, A, B) == pytest.approx(expected, rel=1e-6)
    gradient(layer, A, B)


def test_root_of_nothing_has_no_gradient() -> None:
    net = run('type: "EuclideanLoss" top: "loss" euclidean_loss_param { type: L2sqrt }', {"a": A, "b": A})
    net._backward(len(net.layers) - 1, 0)
    assert float(net.blobs["loss"].data) == 0
    assert not net.blobs["a"].diff.any()


TARGETS = RANDOM.uniform(0, 1, A.shape).astype(np.float32)
TARGETS[1, :2] = -1


@pytest.mark.parametrize(
    ("param", "divisor", "ignored"),
    [
        ("", 4, False),
        ("normalization: VALID", 24, False),
        ("normalization: VALID ignore_label: -1", 20, True),
        ("normalization: FULL ignore_label: -1", 24, True),
        ("normalization: NONE", 1, False),
        ("normalize: true ignore_label: -1", 20, True),
        ("normalize: false ignore_label: -1", 4, True),
    ],
)
def test_sigmoid_cross_entropy(param: str, divisor: float, ignored: bool) -> None:
    layer = f'type: "SigmoidCrossEntropyLoss" loss_param {{ {param} }}'
    targets = TARGETS if ignored else np.abs(TARGETS)
    p = 1 / (1 + np.exp(-A.astype(np.float64)))
    losses = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    assert loss(layer, A, targets) == pytest.approx(losses[targets >= 0].sum() / divisor, rel=1e-6)
    gradient(layer, A, targets, skip=("b",))


def test_sigmoid_cross_entropy_of_extreme_scores() -> None:
    assert loss('type: "SigmoidCrossEntropyLoss"', np.float32([[1000, -1000]]), np.float32([[0, 1]])) == 2000


@pytest.mark.parametrize(("norm", "power"), [("L1", 1), ("L2", 2)])
def test_hinge(norm: str, power: int) -> None:
    layer = f'type: "HingeLoss" hinge_loss_param {{ norm: {norm} }}'
    scores = A[:, :, 0].copy()
    sign = np.where(np.arange(3) == CLASSES[:, None], 1, -1)
    expected = (np.maximum(0, 1 - sign * scores) ** power).sum() / 4
    assert loss(layer, scores, CLASSES) == pytest.approx(expected, rel=1e-6)
    gradient(layer, scores, CLASSES, skip=("b",))


@pytest.mark.parametrize("legacy", [False, True])
def test_contrastive(legacy: bool) -> None:
    layer = f'type: "ContrastiveLoss" contrastive_loss_param {{ margin: 1.5 legacy_version: {str(legacy).lower()} }}'
    a, b, y = 0.5 * normal(6, 4), 0.5 * normal(6, 4), np.float32([1, 0, 0, 1, 0, 0])
    square = ((a - b) ** 2).sum(axis=1)
    apart = np.maximum(1.5 - square, 0) if legacy else np.maximum(1.5 - np.sqrt(square), 0) ** 2
    assert loss(layer, a, b, y) == pytest.approx(np.where(y, square, apart).sum() / 12, rel=1e-5)
    assert (apart[y == 0] > 0).any()
    if legacy:
        gradient(layer, a, b, y, skip=("c",))


def test_contrastive_gradient_has_caffes_softening() -> None:
    """(margin - d)^2 has slope -2 (margin - d); Caffe divides the difference by d + 1e-4 rather than d."""
    a, b = np.float32([[0.3, 0]]), np.float32([[0, 0.4]])
    net = run('type: "ContrastiveLoss" top: "loss"', {"a": a, "b": b, "y": np.zeros(1, np.float32)})
    net._nodes[-1].propagate_down[:] = [True, True, False]
    net._nodes[-1].backward()
    expected = -(1 - 0.5) * (a - b) / (0.5 + 1e-4)
    np.testing.assert_allclose(net.blobs["a"].diff, expected, rtol=1e-5)
    np.testing.assert_allclose(net.blobs["b"].diff, -expected, rtol=1e-5)


def test_multinomial_logistic() -> None:
    p = RANDOM.uniform(0.05, 1, (4, 3)).astype(np.float32)
    layer = 'type: "MultinomialLogisticLoss"'
    expected = -np.log(p[np.arange(4), CLASSES.astype(int)]).mean()
    assert loss(layer, p, CLASSES) == pytest.approx(expected, rel=1e-6)
    gradient(layer, p, CLASSES, skip=("b",))


GAINS = RANDOM.uniform(-1, 2, (3, 3)).astype(np.float32)
MAP = np.float32([[0, 1], [2, 9], [1, 0], [2, 2]])


def test_infogain_from_a_bottom_and_from_a_file(tmp_path) -> None:
    logs = A - np.log(np.exp(A).sum(axis=1, keepdims=True))
    kept = MAP != 9
    rows = GAINS[np.where(kept, MAP, 0).astype(int)]  # item, position, class
    expected = -(rows * logs.transpose(0, 2, 1))[kept].sum() / kept.sum()
    layer = 'type: "InfogainLoss" loss_param { ignore_label: 9 }'
    assert loss(layer, A, MAP, GAINS.reshape(1, 1, 3, 3)) == pytest.approx(expected, rel=1e-5)
    gradient(layer, A, MAP, GAINS.reshape(1, 1, 3, 3), skip=("b", "c"))
    message = caffe_pb2.BlobProto(num=1, channels=1, height=3, width=3, data=GAINS.reshape(-1).tolist())
    (tmp_path / "h.binaryproto").write_bytes(message.SerializeToString())
    layer += f' infogain_loss_param {{ source: "{tmp_path}/h.binaryproto" }}'
    assert loss(layer, A, MAP) == pytest.approx(expected, rel=1e-5)


def test_infogain_of_the_identity_is_the_softmax_loss() -> None:
    labels = np.abs(np.where(MAP == 9, 0, MAP))
    assert loss('type: "InfogainLoss"', A, labels, np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3)) == pytest.approx(
        loss('type: "SoftmaxWithLoss"', A, labels), rel=1e-6
    )


def test_wrong_infogain(tmp_path) -> None:
    with pytest.raises(LayerError, match=r"third bottom or infogain_loss_param.source"):
        loss('type: "InfogainLoss"', A, MAP)
    with pytest.raises(ShapeError, match="3 x 3 values, got 4"):
        loss('type: "InfogainLoss"', A, MAP, np.ones((1, 1, 2, 2), np.float32))
    (tmp_path / "bad").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="no BlobProto"):
        loss(f'type: "InfogainLoss" infogain_loss_param {{ source: "{tmp_path}/bad" }}', A, MAP)


@pytest.mark.parametrize("layer", ["HingeLoss", "MultinomialLogisticLoss"])
def test_label_that_is_no_class(layer: str) -> None:
    with pytest.raises(DataError, match=r"unexpected label 3 at item 2: labels must be classes 0\.\.2"):
        loss(f'type: "{layer}"', A[:, :, 0].copy(), np.float32([0, 1, 3, 0]))


@pytest.mark.parametrize("layer", ["EuclideanLoss", "SigmoidCrossEntropyLoss"])
def test_bottoms_of_different_sizes(layer: str) -> None:
    with pytest.raises(ShapeError, match="same number of elements"):
        loss(f'type: "{layer}"', A, B[:, :2].copy())
    with pytest.raises(ShapeError, match="as many items"):
        loss(f'type: "{layer}"', A, B[:2].copy())
