"""One product of all taps, shifted and added, within layers: any size, kernel, rate and pad; its choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab.layers._convolution_engine import choose_engine
from pydeeplab.layers._convolution_problem import Epilogue, Problem
from pydeeplab.layers._convolution_shift import ShiftEngine, cut_axis, shift_applies
from pydeeplab.layers.convolution import Convolution
from pydeeplab.layers.window import Window
from tests.layers.test_convolution import build, compare, net_text, run
from tests.support.kernels import relative_error


@st.composite
def problems(draw: Callable[..., Any]) -> Problem:
    kernel = tuple(draw(st.sampled_from([1, 2, 3, 3, 4, 5, 7])) for _ in range(2))
    rate = tuple(draw(st.sampled_from([1, 2, 3, 6, 24])) for _ in range(2))
    reach = [r * (k - 1) for k, r in zip(kernel, rate, strict=True)]
    pad = tuple(draw(st.sampled_from([n // 2, n // 2, 0, n, n + 3])) for n in reach)
    image = tuple(max(1, n + 1 - 2 * p) + draw(st.integers(0, 20)) for n, p in zip(reach, pad, strict=True))
    window = Window(kernel, (1, 1), pad, rate)
    channels, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return Problem(window, draw(st.integers(1, 3)), channels, outputs, 1, image, window.positions(image))


def layer_text(problem: Problem) -> str:
    window = problem.window
    sizes = f"kernel_h: {window.kernel[0]} kernel_w: {window.kernel[1]} pad_h: {window.pad[0]} pad_w: {window.pad[1]}"
    rates = " ".join(f"dilation: {d}" for d in window.dilation)
    return net_text(
        "Convolution",
        (problem.batch, problem.channels, *problem.image),
        f"num_output: {problem.outputs} {sizes} {rates}",
    )


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.booleans())
def test_every_problem_has_scratch_enough_and_agrees(problem: Problem, relu: bool) -> None:
    net = build(layer_text(problem), "CAFFE", backend="cpu")
    expected = run(net)["y0"]
    layer = net.layer_dict["L"]
    assert isinstance(layer, Convolution)
    x, y, (w, b) = net.blobs["x0"], net.blobs["y0"], layer.blobs
    epilogue = Epilogue(np.linspace(0.5, 2, problem.outputs, dtype=np.float32), None, relu, 0.1)
    expected *= np.linspace(0.5, 2, problem.outputs).reshape(-1, 1, 1)
    expected = np.where(relu & (expected < 0), 0.1 * expected, expected)
    y.data[...] = np.nan
    ShiftEngine(layer, problem).image_to_map(x.read(), w.read(), b.read(), y.write(), epilogue)
    assert relative_error(y.data, expected) < 1e-5


@given(st.integers(1, 70), st.integers(1, 7), st.integers(1, 30), st.integers(0, 40))
def test_axes_are_cut_where_the_taps_change(size: int, taps: int, rate: int, pad: int) -> None:
    out = size + 2 * pad - rate * (taps - 1)
    if out < 1:
        return
    inside = [sum(0 <= i + pad - rate * t < out for t in range(taps)) for i in range(size)]
    runs = cut_axis(size, out, pad, rate, taps)
    assert sum(pixels * count for pixels, count in runs) == sum(inside)
    assert sum(pixels for pixels, _ in runs) == sum(count > 0 for count in inside)


def _problem(size: int, rate: int, kernel: int = 3, outputs: int = 21, stride: int = 1, group: int = 1) -> Problem:
    window = Window((kernel,) * 2, (stride,) * 2, (rate * (kernel - 1) // 2,) * 2, (rate,) * 2)
    return Problem(window, 1, 2048, outputs, group, (size,) * 2, window.positions((size,) * 2))


@pytest.mark.parametrize(("size", "rate", "expected"), [(65, 12, "winograd"), (49, 24, "shift"), (33, 18, "shift")])
def test_chosen_where_taps_leave_the_map(size: int, rate: int, expected: str) -> None:
    assert choose_engine("DEFAULT", _problem(size, rate)).name == expected


def test_large_kernels_need_no_columns_of_taps_outside() -> None:
    choice = choose_engine("DEFAULT", _problem(41, 4, kernel=7, outputs=256))
    assert choice.name == "shift"
    assert "taps that stay within the map" in choice.reason


def test_applies_to_forward_passes_at_stride_1_without_groups() -> None:
    assert shift_applies(_problem(33, 18), "forward")
    assert not shift_applies(_problem(33, 18), "backward_data")
    assert not shift_applies(_problem(33, 18, stride=2), "forward")
    assert not shift_applies(_problem(33, 18, group=2, outputs=22), "forward")
    assert not shift_applies(_problem(33, 1, kernel=1), "forward")


def test_does_not_apply_where_the_products_of_a_few_outputs_need_much_memory() -> None:
    assert shift_applies(_problem(129, 4, kernel=7, outputs=1), "forward")
    assert not shift_applies(_problem(513, 4, kernel=7, outputs=1), "forward")


def test_layers_agree_with_the_definition() -> None:
    text = net_text("Convolution", (2, 40, 13, 12), "num_output: 12 kernel_size: 3 pad: 9 dilation: 9")
    assert build(text).layer_dict["L"].engine_used == "shift"  # type: ignore[attr-defined]
    compare(text)
