"""LRN, MVN and Normalize."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.errors import LayerError, ShapeError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

SHAPE = (2, 7, 5, 6)


def test_lrn_across_channels() -> None:
    net = one_layer("LRN", [SHAPE], "lrn_param { local_size: 3 alpha: 0.6 beta: 0.75 k: 2 }")
    x = normal(*SHAPE).astype(np.float64)
    run(net, [x])
    expected = np.empty_like(x)
    for c in range(7):
        window = x[:, max(c - 1, 0) : c + 2]
        expected[:, c] = x[:, c] / (2 + 0.2 * (window**2).sum(axis=1)) ** 0.75
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5, atol=1e-6)


def test_lrn_within_channel() -> None:
    net = one_layer("LRN", [SHAPE], "lrn_param { local_size: 3 alpha: 0.9 beta: 0.5 norm_region: WITHIN_CHANNEL k: 9 }")
    x = normal(*SHAPE).astype(np.float64)
    run(net, [x])
    expected = np.empty_like(x)
    for i in range(5):
        for j in range(6):
            window = x[:, :, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            expected[:, :, i, j] = x[:, :, i, j] / (1 + 0.1 * (window**2).sum(axis=(2, 3))) ** 0.5
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_lrn_gradient(region: str, size: int) -> None:
    params = f"lrn_param {{ local_size: {size} alpha: 0.5 beta: 0.75 norm_region: {region} }}"
    check_gradient(net_text("LRN", [SHAPE], params))


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("variance", [False, True])
def test_mvn(across: bool, variance: bool) -> None:
    params = (
        f"mvn_param {{ across_channels: {str(across).lower()} normalize_variance: {str(variance).lower()} eps: 0.01 }}"
    )
    net = one_layer("MVN", [SHAPE], params)
    x = (3 + 2 * normal(*SHAPE)).astype(np.float64)
    run(net, [x])
    axes = (1, 2, 3) if across else (2, 3)
    expected = x - x.mean(axes, keepdims=True)
    if variance:
        expected /= x.std(axes, keepdims=True) + 0.01
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("params", ["", "across_channels: true", "normalize_variance: false"])
def test_mvn_gradient(params: str) -> None:
    check_gradient(net_text("MVN", [SHAPE], f"mvn_param {{ {params} }}"))


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_normalize(across: bool, shared: bool) -> None:
    params = (
        f"norm_param {{ across_spatial: {str(across).lower()} channel_shared: {str(shared).lower()} "
        'scale_filler { type: "constant" value: 20 } eps: 0.01 }'
    )
    net = one_layer("Normalize", [SHAPE], params)
    assert net.params["L"][0].shape == (() if shared else (7,))
    x = normal(*SHAPE).astype(np.float64)
    run(net, [x])
    expected = 20 * x / np.sqrt((x**2).sum((1, 2, 3) if across else 1, keepdims=True) + 0.01)
    np.testing.assert_allclose(net.blobs["y"].data, expected, rtol=1e-5, atol=1e-5)
    check_gradient(net_text("Normalize", [SHAPE], params))


def test_normalize_scale_of_zero_has_a_gradient() -> None:
    net = one_layer("Normalize", [(1, 2)], "norm_param { scale_filler { value: 0 } }")
    run(net, [np.array([[3.0, 4.0]])], {"y": np.array([[1.0, 1.0]])})
    np.testing.assert_allclose(net.params["L"][0].diff, 1.4, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "shape", "params", "error", "message"),
    [
        ("LRN", SHAPE, "lrn_param { local_size: 4 }", LayerError, "local_size must be odd, got 4"),
        ("LRN", (2, 3), "", ShapeError, "must be N x C x H x W"),
        ("MVN", (3,), "", ShapeError, "needs items and channels"),
        ("Normalize", (3,), "", ShapeError, "needs a channel axis"),
    ],
)
def test_errors(kind: str, shape: tuple[int, ...], params: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_layer(kind, [shape], params)
