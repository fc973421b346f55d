"""InnerProduct: against the formula, errors, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab import TEST, Net
from pydeeplab.errors import LayerError, ShapeError
from tests.support.gradient import check_gradient


def text(shape: tuple[int, ...], param: str) -> str:
    dims = " ".join(f"dim: {d}" for d in shape)
    return (
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}\n'
        f'layer {{ name: "L" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ {param} }} }}'
    )


def build(shape: tuple[int, ...], param: str) -> Net:
    net = Net.from_text(text(shape, param), TEST)
    random = np.random.default_rng(0)
    for blob in [net.blobs["x"], *net.params["L"]]:
        blob.data[...] = random.standard_normal(blob.shape)
    net.forward()
    return net


@pytest.mark.parametrize(
    ("shape", "param", "lead"),
    [
        ((4, 3, 5, 6), "num_output: 7", (4,)),
        ((4, 3, 5, 6), "num_output: 7 axis: 2", (4, 3)),
        ((4, 3, 5, 6), "num_output: 7 axis: -1", (4, 3, 5)),
        ((300, 200), "num_output: 100", (300,)),
        ((5,), "num_output: 3 axis: 0", ()),
    ],
)
@pytest.mark.parametrize("transpose", [False, True])
def test_formula(shape: tuple[int, ...], param: str, lead: tuple[int, ...], transpose: bool) -> None:
    net = build(shape, f"{param} transpose: {str(transpose).lower()}")
    weights, bias = (b.data for b in net.params["L"])
    rows = net.blobs["x"].data.reshape(int(np.prod(lead)), -1)
    assert weights.shape == ((rows.shape[1], len(bias)) if transpose else (len(bias), rows.shape[1]))
    expected = rows @ (weights if transpose else weights.T) + bias
    assert net.blobs["y"].shape == (*lead, len(bias))
    np.testing.assert_allclose(net.blobs["y"].data.reshape(expected.shape), expected, atol=1e-4)


def test_without_bias() -> None:
    net = build((2, 3), "num_output: 4 bias_term: false")
    assert len(net.params["L"]) == 1
    np.testing.assert_allclose(net.blobs["y"].data, net.blobs["x"].data @ net.params["L"][0].data.T, atol=1e-5)


def test_work() -> None:
    net = build((2, 3, 4), "num_output: 5")
    assert net.layer_dict["L"].multiply_adds([net.blobs["x"]], [net.blobs["y"]]) == 2 * 12 * 5


@pytest.mark.parametrize(
    ("param", "words"),
    [("", ["num_output", "at least 1"]), ("num_output: 3 axis: 4", ["axis 4", "out of range"])],
)
def test_errors(param: str, words: list[str]) -> None:
    with pytest.raises(LayerError) as caught:
        build((2, 3), param)
    for word in ["'L'", *words]:
        assert word in str(caught.value)


def test_input_size_must_stay() -> None:
    net = build((2, 3, 4, 5), "num_output: 2")
    net.blobs["x"].reshape(7, 3, 4, 5)
    net.forward()
    assert net.blobs["y"].shape == (7, 2)
    net.blobs["x"].reshape(2, 3, 4, 6)
    with pytest.raises(ShapeError, match=r"60 inputs.*72.*Convolution"):
        net.forward()


@pytest.mark.parametrize("param", ["", "transpose: true", "axis: 2", "bias_term: false"])
def test_gradients(param: str) -> None:
    check_gradient(text((3, 4, 5), f"num_output: 6 {param}"))
