"""The gradient of the weights as one product, within layers: any size, kernel, stride, rate and pad; its choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab.layers._convolution_engine import choose_engine
from pydeeplab.layers._convolution_problem import Problem
from pydeeplab.layers._convolution_product import Product, ProductEngine, choose_product, product_applies
from pydeeplab.layers.convolution import Convolution
from pydeeplab.layers.window import Window
from tests.layers.test_convolution import build, compare, net_text, run
from tests.support.kernels import relative_error


@st.composite
def problems(draw: Callable[..., Any]) -> Problem:
    kernel = tuple(draw(st.sampled_from([1, 1, 2, 3, 3, 5])) for _ in range(2))
    stride = tuple(draw(st.sampled_from([1, 1, 2, 3])) for _ in range(2))
    rate = tuple(draw(st.sampled_from([1, 2, 6, 24])) for _ in range(2))
    reach = [r * (k - 1) for k, r in zip(kernel, rate, strict=True)]
    pad = tuple(draw(st.sampled_from([n // 2, n // 2, 0, n, n + 3])) for n in reach)
    image = tuple(max(1, n + 1 - 2 * p) + draw(st.integers(0, 30)) for n, p in zip(reach, pad, strict=True))
    window = Window(kernel, stride, pad, rate)
    channels, outputs = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    return Problem(window, draw(st.integers(1, 3)), channels, outputs, 1, image, window.positions(image))


def layer_text(problem: Problem) -> str:
    w = problem.window
    sizes = f"kernel_h: {w.kernel[0]} kernel_w: {w.kernel[1]} pad_h: {w.pad[0]} pad_w: {w.pad[1]}"
    more = f"stride_h: {w.stride[0]} stride_w: {w.stride[1]} " + " ".join(f"dilation: {d}" for d in w.dilation)
    shape = (problem.batch, problem.channels, *problem.image)
    return net_text("Convolution", shape, f"num_output: {problem.outputs} {sizes} {more}")


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.booleans(), st.booleans())
def test_every_problem_has_scratch_enough_and_agrees(problem: Problem, halves: bool, turned: bool) -> None:
    net = build(layer_text(problem), "CAFFE", backend="cpu")
    run(net)
    layer = net.layer_dict["L"]
    assert isinstance(layer, Convolution)
    x, y, w = net.blobs["x0"], net.blobs["y0"], layer.blobs[0]
    window = problem.window
    engine = ProductEngine(layer, problem)
    if (
        turned
        and window.stride == (1, 1)
        and all(p <= r * (k - 1) for p, r, k in zip(window.pad, window.dilation, window.kernel, strict=True))
    ):
        engine.product = Product(turned=True, halves=halves)
    else:
        engine.product = Product(halves=halves)
    made = np.zeros_like(w.diff)
    engine.add_weight_gradient(x.read(), y.read_diff(), made)
    assert relative_error(made, w.diff) < 1e-5


def _problem(size: int, rate: int, channels: int, outputs: int, kernel: int = 3, **more: Any) -> Problem:
    window = Window((kernel,) * 2, (more.get("stride", 1),) * 2, (rate * (kernel - 1) // 2,) * 2, (rate,) * 2)
    group = more.get("group", 1)
    return Problem(window, 2, channels, outputs, group, (size,) * 2, window.positions((size,) * 2))


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (_problem(41, 1, 256, 1024, kernel=1), Product(halves=True)),
        (_problem(81, 1, 64, 256, kernel=1), Product()),
        (_problem(41, 24, 2048, 21), Product(turned=True)),
        (_problem(321, 1, 3, 64), Product()),
        (_problem(321, 1, 3, 64, kernel=7, stride=2), Product()),
    ],
)
def test_chosen_way(problem: Problem, expected: Product) -> None:
    assert choose_engine("DEFAULT", problem, operation="backward_weights").name == "product"
    assert choose_product(problem)[1] == expected


def test_winograd_where_tiles_are_cheaper() -> None:
    assert choose_engine("DEFAULT", _problem(41, 2, 256, 256), operation="backward_weights").name == "winograd"


def test_applies_to_gradients_of_weights_without_groups() -> None:
    assert product_applies(_problem(33, 18, 8, 8), "backward_weights")
    assert not product_applies(_problem(33, 18, 8, 8), "backward_data")
    assert not product_applies(_problem(33, 18, 8, 8, group=2), "backward_weights")


@pytest.mark.parametrize(
    "text",
    ["kernel_size: 1", "kernel_size: 3 pad: 9 dilation: 9", "kernel_size: 2 stride: 2", "kernel_size: 1 stride: 2"],
)
@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_layers_agree_with_the_definition(kind: str, text: str) -> None:
    compare(net_text(kind, (2, 40, 19, 18), f"num_output: 12 {text}"))
