"""BatchNorm, BN, Scale and Bias."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import LayerError, ShapeError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

SHAPE = (3, 4, 5, 2)
STATISTICS = ["L/0", "L/1", "L/2"]


def standardised(x: np.ndarray, eps: float) -> np.ndarray:
    x = x.astype(np.float64)
    mean, variance = (f(x, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.var))
    return (x - mean) / np.sqrt(variance + eps)


# BatchNorm -----------------------------------------------------------------------------------------------------------


def test_batch_norm_of_the_batch_and_running_statistics() -> None:
    net = one_layer("BatchNorm", [SHAPE], "batch_norm_param { moving_average_fraction: 0.9 eps: 0.001 }")
    mean, variance, weight = net.params["L"]
    first, second = 3 + 2 * normal(*SHAPE), normal(*SHAPE, seed=1)
    run(net, [first])
    np.testing.assert_allclose(net.blobs["y"].data, standardised(first, 1e-3), atol=2e-6)
    run(net, [second])
    m = SHAPE[0] * SHAPE[2] * SHAPE[3]
    expected = [
        0.9 * f(first.astype(np.float64), axis=(0, 2, 3)) + f(second, axis=(0, 2, 3)) for f in (np.mean, np.var)
    ]
    np.testing.assert_allclose(mean.data, expected[0], rtol=1e-5)
    np.testing.assert_allclose(variance.data, expected[1] * m / (m - 1), rtol=1e-5)
    np.testing.assert_allclose(weight.data, [1.9], rtol=1e-6)


def test_batch_norm_uses_stored_statistics_in_test() -> None:
    net = one_layer("BatchNorm", [SHAPE], phase=TEST)
    mean, variance, weight = net.params["L"]
    mean.data[...], variance.data[...], weight.data[...] = [1, 2, 3, 4], [8, 4, 2, 1], 2
    x, dy = normal(*SHAPE), normal(*SHAPE, seed=1)
    run(net, [x], {"y": dy})
    factor = (np.array([4, 2, 1, 0.5]) + 1e-5).reshape(1, 4, 1, 1) ** -0.5
    np.testing.assert_allclose(
        net.blobs["y"].data, (x - np.reshape([0.5, 1, 1.5, 2], (1, 4, 1, 1))) * factor, rtol=1e-5
    )
    np.testing.assert_allclose(net.blobs["x0"].diff, dy * factor, rtol=1e-5)
    np.testing.assert_array_equal(weight.data, [2])


def test_batch_norm_without_stored_statistics_divides_by_the_root_of_eps() -> None:
    net = one_layer("BatchNorm", [SHAPE], "batch_norm_param { eps: 0.25 }", phase=TEST)
    x = normal(*SHAPE)
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, 2 * x, rtol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, (6, 3), (7,), (2, 3, 17)])
@pytest.mark.parametrize("params", ["", "batch_norm_param { use_global_stats: true }"])
def test_batch_norm_gradient(shape: tuple[int, ...], params: str) -> None:
    channels = shape[1] if len(shape) > 1 else 1
    stored = {("L", 0): np.zeros(channels), ("L", 1): np.full(channels, 2.0), ("L", 2): np.ones(1)}
    check_gradient(net_text("BatchNorm", [shape], params), params=stored, skip=STATISTICS)


@pytest.mark.parametrize("params", ["", "batch_norm_param { use_global_stats: true }"])
def test_batch_norm_in_place_with_scale_in_place_after_it(params: str) -> None:
    def text(middle: str, last: str) -> str:
        return net_text("BatchNorm", [SHAPE], params, [middle]) + (
            f'layer {{ name: "S" type: "Scale" bottom: "{middle}" top: "{last}" scale_param {{ bias_term: true }} }}'
        )

    nets = [Net.from_text(t, TRAIN) for t in (text("a", "b"), text("x0", "x0"))]
    x, dy = normal(*SHAPE), normal(*SHAPE, seed=1)
    for net, top in zip(nets, ("b", "x0"), strict=True):
        net.params["L"][1].data[...] = net.params["L"][2].data[...] = 1
        net.params["S"][0].data[...] = [2, -1, 0, 3]
        run(net, [x], {top: dy})
    np.testing.assert_array_equal(nets[1].blobs["x0"].diff, nets[0].blobs["x0"].diff)
    for i in range(2):
        np.testing.assert_array_equal(nets[1].params["S"][i].diff, nets[0].params["S"][i].diff)


def test_batch_norm_parameters_are_not_learned() -> None:
    net = one_layer("BatchNorm", [SHAPE])
    assert [p.lr_mult for p in net.learnable_params] == [0, 0, 0]
    with pytest.raises(LayerError, match="param 1 must have lr_mult 0, got 1"):
        one_layer("BatchNorm", [SHAPE], "param { lr_mult: 0 } param { lr_mult: 1 }")


def test_batch_norm_far_from_zero() -> None:
    x = (1000 + 0.5 * normal(2, 3, 60, 70)).astype(np.float32)
    net = one_layer("BatchNorm", [x.shape])
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, standardised(x, 1e-5), atol=2e-4)


def test_batch_norm_says_when_channels_change() -> None:
    net = one_layer("BatchNorm", [SHAPE])
    net.blobs["x0"].reshape(1, 5, 2, 2)
    with pytest.raises(ShapeError, match=r"statistics for 4 channels; the bottom is \(1, 5, 2, 2\)"):
        net.forward()


# BN ------------------------------------------------------------------------------------------------------------------

SEGNET = 'scale_filler { type: "constant" value: 1 } shift_filler { type: "constant" value: 0.001 }'
PSPNET = 'slope_filler { type: "constant" value: 1 } bias_filler { type: "constant" value: 0 } momentum: 0.75'


def test_segnet_bn_learns_with_batch_statistics_in_both_phases() -> None:
    x = 2 + normal(*SHAPE)
    for phase in (TRAIN, TEST):
        net = one_layer("BN", [SHAPE], f"bn_param {{ {SEGNET} }}", ["y", "mean", "variance"], phase)
        assert [b.shape for b in net.params["L"]] == [(1, 4, 1, 1)] * 2
        run(net, [x])
        np.testing.assert_allclose(net.blobs["y"].data, standardised(x, 1e-9) + 0.001, atol=2e-6)
        for name, function in (("mean", np.mean), ("variance", np.var)):
            np.testing.assert_allclose(net.blobs[name].data.reshape(-1), function(x, axis=(0, 2, 3)), rtol=1e-5)


def test_segnet_bn_at_inference_is_affine() -> None:
    net = one_layer("BN", [SHAPE], "bn_param { bn_mode: INFERENCE }", phase=TEST)
    net.params["L"][0].data[...] = np.reshape([1, 2, 3, 4], (1, 4, 1, 1))
    net.params["L"][1].data[...] = 7
    x = normal(*SHAPE)
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, x * np.reshape([1, 2, 3, 4], (1, 4, 1, 1)) + 7, rtol=1e-6)


def test_pspnet_bn_keeps_running_statistics() -> None:
    x = 2 + 3 * normal(*SHAPE)
    net = one_layer("BN", [SHAPE], f"bn_param {{ {PSPNET} }}")
    assert [b.shape for b in net.params["L"]] == [(1, 4, 1, 1)] * 4
    assert [p.lr_mult for p in net.learnable_params] == [1, 1, 0, 0]
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, standardised(x, 1e-5), atol=2e-6)
    np.testing.assert_allclose(net.params["L"][2].data.reshape(-1), 0.25 * x.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(net.params["L"][3].data.reshape(-1), 0.25 * x.var(axis=(0, 2, 3)), rtol=1e-5)
    tested = one_layer("BN", [SHAPE], f"bn_param {{ {PSPNET} }}", phase=TEST)
    for blob, trained in zip(tested.params["L"], net.params["L"], strict=True):
        blob.data[...] = trained.data
    run(tested, [x])
    mean, variance = (b.data.astype(np.float64) for b in net.params["L"][2:])
    np.testing.assert_allclose(tested.blobs["y"].data, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-5, atol=1e-5)


def test_frozen_pspnet_bn_learns_nothing() -> None:
    net = one_layer("BN", [SHAPE], "bn_param { frozen: true slope_filler { value: 1 } }")
    assert [p.lr_mult for p in net.learnable_params] == [0, 0, 0, 0]
    x = normal(*SHAPE)
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, x / np.sqrt(1 + 1e-5), rtol=1e-6)
    np.testing.assert_array_equal(net.params["L"][3].data, np.ones((1, 4, 1, 1)))


@pytest.mark.parametrize("fields", ["", "bn_mode: INFERENCE", "momentum: 0.9", "frozen: true"])
@pytest.mark.parametrize("top", ["y", "x0"])
def test_bn_gradients(fields: str, top: str) -> None:
    text = net_text("BN", [SHAPE], f"bn_param {{ {fields} }}")
    stored = {("L", 3): np.full((1, 4, 1, 1), 2.0)} if "n: 0.9" in fields or "frozen" in fields else {}
    check_gradient(text, params=stored, skip=["L/2", "L/3"])
    x, dy = normal(*SHAPE), normal(*SHAPE, seed=1)
    apart, in_place = one_layer("BN", [SHAPE], f"bn_param {{ {fields} }}"), None
    in_place = one_layer("BN", [SHAPE], f"bn_param {{ {fields} }}", [top])
    for net, name in ((apart, "y"), (in_place, top)):
        net.params["L"][0].data[...] = np.reshape([2, -1, 0.5, 1], (1, 4, 1, 1))
        run(net, [x], {name: dy})
    np.testing.assert_array_equal(in_place.blobs["x0"].diff, apart.blobs["x0"].diff)
    np.testing.assert_array_equal(in_place.params["L"][0].diff, apart.params["L"][0].diff)


def test_bn_rejects_a_mixture_and_reads_four_params_as_pspnet() -> None:
    with pytest.raises(LayerError, match="mixes the fields of two layers: momentum, scale_filler"):
        one_layer("BN", [SHAPE], "bn_param { momentum: 0.5 scale_filler { value: 1 } }")
    with pytest.raises(LayerError, match="only SegNet's BN has tops"):
        one_layer("BN", [SHAPE], "bn_param { momentum: 0.5 }", ["y", "mean"])
    assert len(one_layer("BN", [SHAPE], "param {} param {} param {} param {}").params["L"]) == 4
    assert len(one_layer("BN", [SHAPE], "param {} param {}").params["L"]) == 2


# Scale and Bias ------------------------------------------------------------------------------------------------------

SPANS = [
    ("axis: 1", (4,)),
    ("axis: 1 num_axes: 2", (4, 5)),
    ("axis: 0 num_axes: -1", SHAPE),
    ("axis: -1", (2,)),
    ("axis: -2 num_axes: -1", (5, 2)),
    ("num_axes: 0", ()),
]


def aligned(values: np.ndarray, params: str) -> np.ndarray:
    """Values of a span, as NumPy broadcasts them to SHAPE."""
    if values.ndim == 0:
        return values
    axis = int(params.split("axis: ")[1].split()[0]) % 4
    return values.reshape(*values.shape, *(1,) * (4 - axis - values.ndim))


@pytest.mark.parametrize(("params", "span"), SPANS)
def test_scale_and_bias_of_learned_values(params: str, span: tuple[int, ...]) -> None:
    x, scale, bias = normal(*SHAPE), normal(*span, seed=1), normal(*span, seed=2)
    net = one_layer("Scale", [SHAPE], f"scale_param {{ {params} bias_term: true }}")
    assert [b.shape for b in net.params["L"]] == [span, span]
    np.testing.assert_array_equal(net.params["L"][0].data, np.ones(span))
    net.params["L"][0].data[...], net.params["L"][1].data[...] = scale, bias
    run(net, [x])
    np.testing.assert_allclose(
        net.blobs["y"].data, x * aligned(scale, params) + aligned(bias, params), rtol=1e-5, atol=1e-6
    )
    net = one_layer("Bias", [SHAPE], f"bias_param {{ {params} }}")
    net.params["L"][0].data[...] = bias
    run(net, [x])
    np.testing.assert_allclose(net.blobs["y"].data, x + aligned(bias, params), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("params", "span"), SPANS)
@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_scale_and_bias_gradients(kind: str, params: str, span: tuple[int, ...]) -> None:
    extra = "bias_term: true" if kind == "Scale" else ""
    check_gradient(net_text(kind, [SHAPE], f"{kind.lower()}_param {{ {params} {extra} }}"))
    if "num_axes" not in params:
        check_gradient(net_text(kind, [SHAPE, span], f"{kind.lower()}_param {{ {params} {extra} }}"))


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
@pytest.mark.parametrize("shapes", [[SHAPE], [SHAPE, (4,)]])
def test_scale_and_bias_in_place(kind: str, shapes: list[tuple[int, ...]]) -> None:
    inputs, dy = [normal(*s, seed=i) for i, s in enumerate(shapes)], normal(*SHAPE, seed=9)
    apart, in_place = one_layer(kind, shapes), one_layer(kind, shapes, "", ["x0"])
    run(apart, inputs, {"y": dy})
    run(in_place, inputs, {"x0": dy})
    for i in range(len(shapes)):
        np.testing.assert_array_equal(in_place.blobs[f"x{i}"].diff, apart.blobs[f"x{i}"].diff)
    if apart.params:
        np.testing.assert_array_equal(in_place.params["L"][0].diff, apart.params["L"][0].diff)


def test_frozen_scale_in_place_keeps_no_copy() -> None:
    text = net_text("Scale", [SHAPE], "param { lr_mult: 0 }", ["x0"]).replace("force_backward: true", "")
    net = Net.from_text(text, TRAIN)
    run(net, [normal(*SHAPE)])
    assert net.layers[1]._x._blob.count == 0


@pytest.mark.parametrize(
    ("kind", "shapes", "params", "message"),
    [
        ("Scale", [SHAPE], "scale_param { axis: 5 }", "axis 5 is out of range"),
        ("Scale", [SHAPE], "scale_param { axis: 3 num_axes: 2 }", "num_axes 2 from axis 3"),
        ("Bias", [SHAPE], "bias_param { num_axes: -2 }", "num_axes -2"),
        ("Bias", [SHAPE, (5,)], "", r"bottom 1 has shape \(5,\), which must be the axes of bottom 0"),
    ],
)
def test_errors(kind: str, shapes: list[tuple[int, ...]], params: str, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        one_layer(kind, shapes, params)
