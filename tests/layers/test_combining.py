"""Eltwise, Reduction, Parameter, BatchReindex and Filter."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab import TRAIN, Net
from pydeeplab.errors import DataError, LayerError, ShapeError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

SHAPE = (2, 3, 4)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("operation", ["SUM", "PROD", "MAX"])
def test_eltwise_values(operation: str, count: int) -> None:
    x = [normal(*SHAPE, seed=i) for i in range(count)]
    net = one_layer("Eltwise", [SHAPE] * count, f"eltwise_param {{ operation: {operation} }}")
    run(net, x)
    expected = {"SUM": np.sum, "PROD": np.prod, "MAX": np.max}[operation](np.array(x, np.float64), axis=0)
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("params", ["", "operation: PROD", "operation: PROD stable_prod_grad: false", "operation: MAX"])
def test_eltwise_gradients(params: str, count: int) -> None:
    inputs = {
        f"x{i}": np.sign(normal(*SHAPE, seed=i)) * (0.5 + np.abs(normal(*SHAPE, seed=10 + i))) for i in range(count)
    }
    check_gradient(net_text("Eltwise", [SHAPE] * count, f"eltwise_param {{ {params} }}"), inputs=inputs)


def test_eltwise_coefficients() -> None:
    x = [normal(*SHAPE, seed=i) for i in range(3)]
    params = "eltwise_param { coeff: 0.5 coeff: -1 coeff: 2 }"
    net = one_layer("Eltwise", [SHAPE] * 3, params)
    dy = normal(*SHAPE, seed=5)
    run(net, x, {"y": dy})
    np.testing.assert_allclose(net.blobs["y"].data, 0.5 * x[0] - x[1] + 2 * x[2], rtol=1e-5, atol=1e-6)
    for i, coefficient in enumerate((0.5, -1, 2)):
        np.testing.assert_array_equal(net.blobs[f"x{i}"].diff, np.float32(coefficient) * dy)


def test_eltwise_max_gives_a_tie_to_the_later_bottom() -> None:
    net = one_layer("Eltwise", [(1, 3)] * 3, "eltwise_param { operation: MAX }")
    x = np.array([[[1, 1, 2]], [[1, 0, 1]], [[0, 1, 2]]], np.float32)
    run(net, list(x), {"y": np.array([[5, 6, 7]])})
    np.testing.assert_array_equal(net.blobs["y"].data, [[1, 1, 2]])
    np.testing.assert_array_equal([net.blobs[f"x{i}"].diff for i in range(3)], [[[0, 0, 0]], [[5, 0, 0]], [[0, 6, 7]]])


def test_eltwise_stable_product_gradient_at_zero() -> None:
    net = one_layer("Eltwise", [(1, 2)] * 3, "eltwise_param { operation: PROD }")
    run(net, [np.array([[0.0, 2]]), np.array([[3.0, 4]]), np.array([[5.0, 0]])], {"y": np.ones((1, 2))})
    np.testing.assert_array_equal(net.blobs["x0"].diff, [[15, 0]])
    np.testing.assert_array_equal(net.blobs["x2"].diff, [[0, 8]])


@pytest.mark.parametrize(
    ("shapes", "params", "error", "message"),
    [
        ([(2, 3), (3, 2)], "", ShapeError, r"must have one shape; bottom 0 is \(2, 3\), bottom 1 is \(3, 2\)"),
        ([(2, 3)] * 2, "coeff: 1", LayerError, "2 bottoms but 1 coefficients"),
        ([(2, 3)] * 2, "operation: PROD coeff: 1 coeff: 1", LayerError, "for SUM only"),
        ([(2, 3)], "", LayerError, "takes 2 or more bottom"),
    ],
)
def test_eltwise_errors(shapes: list[tuple[int, ...]], params: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_layer("Eltwise", shapes, f"eltwise_param {{ {params} }}")


REDUCTIONS = {
    "SUM": np.sum,
    "MEAN": np.mean,
    "ASUM": lambda x, axis: np.abs(x).sum(axis),
    "SUMSQ": lambda x, axis: (x * x).sum(axis),
}


@pytest.mark.parametrize("operation", REDUCTIONS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_reduction(operation: str, axis: int) -> None:
    params = f"reduction_param {{ operation: {operation} axis: {axis} coeff: -0.5 }}"
    net = one_layer("Reduction", [SHAPE], params)
    x = normal(*SHAPE)
    run(net, [x])
    axes = tuple(range(axis % 3, 3))
    expected = -0.5 * REDUCTIONS[operation](x.astype(np.float64), axes)
    assert net.blobs["y"].shape == SHAPE[: axis % 3]
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5)
    kinkless = np.sign(x) * (0.1 + np.abs(x))
    check_gradient(net_text("Reduction", [SHAPE], params), inputs={"x0": kinkless})


def test_reduction_as_a_loss() -> None:
    net = one_layer("Reduction", [SHAPE], "loss_weight: 3")
    run(net, [np.ones(SHAPE)], {})
    np.testing.assert_array_equal(net.blobs["x0"].diff, np.full(SHAPE, 3))


def test_reduction_axis_error() -> None:
    with pytest.raises(ShapeError, match="axis 3 is out of range"):
        one_layer("Reduction", [SHAPE], "reduction_param { axis: 3 }")


def test_parameter_gradients_accumulate() -> None:
    text = (
        'force_backward: true layer { name: "P" type: "Parameter" top: "p" '
        "parameter_param { shape { dim: 2 dim: 3 } } }"
        'layer { name: "T" type: "TanH" bottom: "p" top: "y" }'
    )
    net = Net.from_text(text, TRAIN)
    value = normal(2, 3)
    net.params["P"][0].data[...] = value
    for _ in range(2):
        net.forward()
        net.blobs["y"].diff[...] = 1
        net.backward()
    np.testing.assert_allclose(net.blobs["y"].data, np.tanh(value), rtol=1e-6)
    np.testing.assert_allclose(net.params["P"][0].diff, 2 * (1 - np.tanh(value) ** 2), rtol=1e-5)
    assert np.shares_memory(net.blobs["p"].data, net.params["P"][0].data)


def test_batch_reindex_repeats_and_leaves_out() -> None:
    net = one_layer("BatchReindex", [(4, 2), (5,)])
    x, dy = normal(4, 2), normal(5, 2, seed=1)
    run(net, [x, np.array([3, 0, 3, 1, 3])], {"y": dy})
    np.testing.assert_array_equal(net.blobs["y"].data, x[[3, 0, 3, 1, 3]])
    expected = np.array([dy[1], dy[3], np.zeros(2), dy[0] + dy[2] + dy[4]])
    np.testing.assert_allclose(net.blobs["x0"].diff, expected, rtol=1e-6)


def test_batch_reindex_errors() -> None:
    net = one_layer("BatchReindex", [(4, 2), (2,)])
    with pytest.raises(DataError, match="index 4 at place 1 is outside the 4 items"):
        run(net, [normal(4, 2), np.array([0, 4])])
    with pytest.raises(ShapeError, match="must have one axis"):
        one_layer("BatchReindex", [(4, 2), (2, 1)])


def test_filter_keeps_chosen_items() -> None:
    net = one_layer(
        "Filter",
        [(4, 2), (4, 1, 3), (4, 1)],
        "propagate_down: true propagate_down: true propagate_down: false",
        ["a", "b"],
    )
    x, z = normal(4, 2), normal(4, 1, 3, seed=1)
    run(net, [x, z, np.array([[0], [1], [0], [2]])])
    np.testing.assert_array_equal(net.blobs["a"].data, x[[1, 3]])
    np.testing.assert_array_equal(net.blobs["b"].data, z[[1, 3]])
    layer = net.layers[3]
    net.blobs["a"].diff[...], net.blobs["b"].diff[...] = 1, 2
    layer.backward([net.blobs["a"], net.blobs["b"]], [True, True, False], [net.blobs[f"x{i}"] for i in range(3)])
    np.testing.assert_array_equal(net.blobs["x0"].diff, [[0, 0], [1, 1], [0, 0], [1, 1]])
    run(net, [x, z, np.zeros((4, 1))])
    assert net.blobs["a"].shape == (0, 2)


def test_filter_errors() -> None:
    with pytest.raises(LayerError, match="need 1 tops, got 2"):
        one_layer("Filter", [(4, 2), (4,)], "", ["a", "b"])
    with pytest.raises(ShapeError, match="one value per item"):
        one_layer("Filter", [(4, 2), (4, 2)])
    with pytest.raises(ShapeError, match="4 items, bottom 0 has shape"):
        one_layer("Filter", [(3, 2), (4,)])
