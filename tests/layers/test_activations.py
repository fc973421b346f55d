"""ReLU, PReLU, ELU, Sigmoid, TanH, Swish, Clip, AbsVal, BNLL, Exp, Log, Power, Threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pydeeplab.errors import LayerError, ShapeError, UnsupportedError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

FUNCTIONS: list[tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = [
    ("ReLU", "", lambda x: np.maximum(x, 0)),
    ("ReLU", "relu_param { negative_slope: 0.1 }", lambda x: np.where(x > 0, x, 0.1 * x)),
    ("PReLU", "", lambda x: np.where(x > 0, x, 0.25 * x)),
    ("PReLU", "prelu_param { channel_shared: true }", lambda x: np.where(x > 0, x, 0.25 * x)),
    ("ELU", "elu_param { alpha: 0.7 }", lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    ("ELU", "elu_param { alpha: -0.7 }", lambda x: np.where(x > 0, x, -0.7 * np.expm1(x))),
    ("Sigmoid", "", lambda x: 1 / (1 + np.exp(-x))),
    ("TanH", "", np.tanh),
    ("Swish", "swish_param { beta: 1.5 }", lambda x: x / (1 + np.exp(-1.5 * x))),
    ("Clip", "clip_param { min: -0.5 max: 0.75 }", lambda x: np.clip(x, -0.5, 0.75)),
    ("AbsVal", "", np.abs),
    ("BNLL", "", lambda x: np.log1p(np.exp(x))),
    ("Exp", "", np.exp),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", lambda x: 2 ** (1 + 0.5 * x)),
    ("Log", "log_param { base: 10 scale: 0.25 shift: 3 }", lambda x: np.log10(3 + 0.25 * x)),
    ("Power", "power_param { power: 3 scale: 0.5 shift: 1 }", lambda x: (1 + 0.5 * x) ** 3),
    ("Power", "power_param { power: 0 scale: 0.5 shift: 1 }", np.ones_like),
    ("Power", "power_param { scale: -2 shift: 1 }", lambda x: 1 - 2 * x),
]
IDS = [f"{kind} {params}" for kind, params, _ in FUNCTIONS]
SHAPE = (2, 3, 4, 5)


def away_from(x: np.ndarray, kinks: tuple[float, ...]) -> np.ndarray:
    """The values, moved away from points where a function has no derivative."""
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 1e-2, kink + 0.1, x)
    return x


@pytest.mark.parametrize(("kind", "params", "function"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("top", ["y", "x0"])
def test_values(kind: str, params: str, function: Callable[[np.ndarray], np.ndarray], top: str) -> None:
    net = one_layer(kind, [SHAPE], params, [top])
    x = normal(*SHAPE)
    run(net, [x])
    np.testing.assert_allclose(net.blobs[top].data, function(x.astype(np.float64)), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("kind", "params", "function"), FUNCTIONS, ids=IDS)
def test_gradients(kind: str, params: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    x = away_from(normal(*SHAPE), (0.0, -0.5, 0.75))
    check_gradient(net_text(kind, [SHAPE], params), inputs={"x0": x})


@pytest.mark.parametrize(("kind", "params", "function"), FUNCTIONS, ids=IDS)
def test_in_place_gradient_is_that_of_a_separate_top(
    kind: str, params: str, function: Callable[[np.ndarray], np.ndarray]
) -> None:
    x, dy = normal(*SHAPE), normal(*SHAPE, seed=1)
    apart, in_place = one_layer(kind, [SHAPE], params), one_layer(kind, [SHAPE], params, ["x0"])
    run(apart, [x], {"y": dy})
    run(in_place, [x], {"x0": dy})
    np.testing.assert_array_equal(in_place.blobs["x0"].diff, apart.blobs["x0"].diff)
    if apart.params:
        np.testing.assert_array_equal(in_place.params["L"][0].diff, apart.params["L"][0].diff)


def test_relu_at_zero_and_for_nan() -> None:
    net = one_layer("ReLU", [(1, 4)], "relu_param { negative_slope: 0.5 }")
    run(net, [np.array([[0.0, -0.0, np.nan, -2.0]])], {"y": np.ones((1, 4))})
    np.testing.assert_array_equal(net.blobs["y"].data, [[0, 0, np.nan, -1]])
    np.testing.assert_array_equal(net.blobs["x0"].diff, [[0.5, 0.5, 0.5, 0.5]])


def test_clip_lets_the_gradient_pass_at_its_bounds() -> None:
    net = one_layer("Clip", [(1, 4)], "clip_param { min: 0 max: 6 }")
    run(net, [np.array([[0.0, 6.0, 6.5, -1.0]])], {"y": np.ones((1, 4))})
    np.testing.assert_array_equal(net.blobs["x0"].diff, [[1, 1, 0, 0]])


def test_power_gradient_at_zero_is_finite() -> None:
    net = one_layer("Power", [(1, 2)], "power_param { power: 3 }")
    run(net, [np.array([[0.0, 2.0]])], {"y": np.ones((1, 2))})
    np.testing.assert_array_equal(net.blobs["x0"].diff, [[0, 12]])


def test_threshold_is_strict_and_has_no_gradient() -> None:
    net = one_layer("Threshold", [(1, 3)], "threshold_param { threshold: 0.5 }")
    run(net, [np.array([[0.5, 0.6, -1.0]])])
    np.testing.assert_array_equal(net.blobs["y"].data, [[0, 1, 0]])
    layer = net.layers[1]
    with pytest.raises(UnsupportedError, match=r"layer 'L' \(Threshold\): has no gradient"):
        layer.backward([net.blobs["y"]], [True], [net.blobs["x0"]])


def test_prelu_slope_per_channel() -> None:
    net = one_layer("PReLU", [(1, 2, 1, 2)])
    net.params["L"][0].data[...] = [0.5, -1]
    run(net, [np.array([[[[-2.0, 2.0]], [[-2.0, 2.0]]]])], {"y": np.ones((1, 2, 1, 2))})
    np.testing.assert_array_equal(net.blobs["y"].data.reshape(-1), [-1, 2, 2, 2])
    np.testing.assert_array_equal(net.params["L"][0].diff, [-2, -2])


@pytest.mark.parametrize(
    ("kind", "shape", "params", "error", "message"),
    [
        ("PReLU", (3,), "", ShapeError, "needs a channel axis"),
        ("Clip", (3,), "clip_param { min: 1 }", LayerError, "needs both min and max"),
        ("Clip", (3,), "clip_param { min: 1 max: 0 }", LayerError, "must not exceed"),
        ("Exp", (3,), "exp_param { base: 0 }", LayerError, "base must be positive"),
        ("Log", (3,), "log_param { base: -2 }", LayerError, "base must be positive"),
        ("Log", (3,), "log_param { base: 1 }", LayerError, "base must not be 1"),
    ],
)
def test_errors(kind: str, shape: tuple[int, ...], params: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        one_layer(kind, [shape], params)
    assert "layer 'L'" in str(caught.value)
