"""Products whose columns are made while they are packed, whole or of halves: any pictures, kernel and groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab.backend import get_backend
from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_packed import PackedEngine, StrassenEngine, adjoint
from pydeeplab.layers._convolution_problem import Epilogue, Picture, Problem
from pydeeplab.layers.window import Window
from tests.layers.test_convolution import build, net_text, problem
from tests.support.kernels import relative_error

REFERENCE = get_backend("reference").kernels
ENGINES = [PackedEngine, StrassenEngine]
SLOW = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NOTHING = np.empty(0, np.float32)


def any_layer() -> Layer:
    return build(net_text("Convolution", (1, 1, 4, 4), "num_output: 1 kernel_size: 1"), backend="cpu").layer_dict["L"]


@st.composite
def problems(draw: Callable[..., Any], most_stride: int = 3) -> list[Problem]:
    """One to three with the same weights."""
    kernel, stride, rate = (
        tuple(draw(st.integers(1, most)) for _ in range(2)) for most in (draw(st.sampled_from([1, 4])), most_stride, 3)
    )
    reach = [r * (k - 1) for k, r in zip(kernel, rate, strict=True)]
    window = Window(kernel, stride, tuple(draw(st.integers(0, n)) for n in reach), rate)
    group, inputs, outputs = draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 40)), draw(st.integers(1, 40))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        image = tuple(max(1, n + 1 - 2 * p) + draw(st.integers(0, 24)) for n, p in zip(reach, window.pad, strict=True))
        batch, positions = draw(st.integers(0 if found else 1, 2)), window.positions(image)
        found.append(Problem(window, batch, group * inputs, group * outputs, group, image, positions))
    return found


def plane(given: Problem) -> list[int]:
    window = given.window
    return [*window.stride, *window.pad, *window.dilation, given.group]


@SLOW
@given(problems(), st.booleans(), st.sampled_from(["none", "other", "itself"]), st.sampled_from(ENGINES))
def test_pictures_of_any_size(given: list[Problem], relu: bool, sums: str, kind: type[PackedEngine]) -> None:
    random, layer = np.random.default_rng(0), any_layer()

    def real(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    first = given[0]
    w, scale, shift = real(first.outputs, first.channels // first.group, *first.window.kernel), *real(2, first.outputs)
    xs, ys = ([real(p.batch, c, *size) for p, c, size in sides] for sides in zip(*map(sides_of, given), strict=True))
    others = [y.copy() for y in ys] if sums == "other" else ys if sums == "itself" else [None] * len(ys)
    expected = [np.empty_like(y) for y in ys]
    REFERENCE.conv_forward_packed(
        xs, w, scale, shift, [o if o is None else o.copy() for o in others], expected, NOTHING, *plane(first), relu, 0.1
    )
    pictures = [Picture(*values) for values in zip(given, xs, ys, others, strict=True)]
    kind(layer, first).images_to_maps(pictures, w, None, Epilogue(scale, shift, relu, 0.1))
    for y, values in zip(ys, expected, strict=True):
        assert relative_error(y, values) < 1e-5


def sides_of(given: Problem) -> list[tuple[Problem, int, tuple[int, ...]]]:
    return [(given, given.channels, given.image), (given, given.outputs, given.positions)]


@SLOW
@given(problems(most_stride=1), st.booleans(), st.sampled_from(ENGINES))
def test_gradients_of_images(given: list[Problem], biased: bool, kind: type[PackedEngine]) -> None:
    random, layer, p = np.random.default_rng(0), any_layer(), given[0]
    w = random.standard_normal((p.outputs, p.channels // p.group, *p.window.kernel)).astype(np.float32)
    bias = random.standard_normal(p.channels).astype(np.float32) if biased else None
    y = random.standard_normal((p.batch, p.outputs, *p.positions)).astype(np.float32)
    x, expected = (np.full((p.batch, p.channels, *p.image), np.nan, np.float32) for _ in range(2))
    REFERENCE.conv_backward_data(y, w, bias, expected, NOTHING, *plane(p))
    kind(layer, p).map_to_image(y, w, bias, x)
    assert relative_error(x, expected) < 1e-5


def test_the_adjoint_convolution() -> None:
    found = adjoint(problem(outputs=5, channels=3, kernel=3, rate=2, pad=1, size=20))
    assert found
    assert (found.channels, found.outputs, found.image, found.positions) == (5, 3, (18, 18), (20, 20))
    assert found.window.pad == (3, 3)
    assert adjoint(found) == problem(outputs=5, channels=3, kernel=3, rate=2, pad=1, size=20)
    assert adjoint(problem(pad=3)) is None
    strided = problem()
    assert adjoint(replace(strided, window=replace(strided.window, stride=(1, 2)))) is None


@pytest.mark.parametrize("kind", ENGINES)
def test_other_gradients_go_through_columns(kind: type[PackedEngine]) -> None:
    given = problem(outputs=4, channels=3, pad=3, size=9)
    y, w = np.ones((1, 4, *given.positions), np.float32), np.ones((4, 3, 3, 3), np.float32)
    x, expected = np.empty((2, 1, 3, 9, 9), np.float32)
    REFERENCE.conv_backward_data(y, w, None, expected, NOTHING, *plane(given))
    kind(any_layer(), given).map_to_image(y, w, None, x)
    np.testing.assert_array_equal(x, expected)


def test_companions_are_of_the_same_kind() -> None:
    layer = any_layer()
    first, second, other = PackedEngine(layer, problem()), PackedEngine(layer, problem(size=9)), StrassenEngine
    assert first.companions([second, other(layer, problem())]) == [second]
    assert other(layer, problem()).companions([first, second]) == []
