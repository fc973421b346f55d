"""Winograd's algorithm within layers: any size, rate and pad, gradients, shared parameters, threads, accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab.layers._convolution_columns import ColumnsEngine
from pydeeplab.layers._convolution_engine import choose_engine
from pydeeplab.layers._convolution_problem import Epilogue, Problem
from pydeeplab.layers._convolution_winograd import TILES, WinogradEngine, choose_tile, count_tiles, winograd_cost
from pydeeplab.layers.convolution import Convolution
from pydeeplab.layers.window import Window
from pydeeplab.threads import get_num_threads, set_num_threads
from tests.layers.test_convolution import build, compare, net_text, run
from tests.support.gradient import check_gradient
from tests.support.kernels import relative_error


@st.composite
def problems(draw: Callable[..., Any]) -> Problem:
    rate = tuple(draw(st.sampled_from([1, 1, 2, 3, 4, 6, 8, 24])) for _ in range(2))
    pad = tuple(draw(st.sampled_from([r, r, 0, 2 * r, r + 1, 2 * r + 3])) for r in rate)
    least = [max(1, 2 * r + 1 - 2 * p) for r, p in zip(rate, pad, strict=True)]
    image = tuple(n + draw(st.integers(0, 20)) for n in least)
    window = Window((3, 3), (1, 1), pad, rate)
    channels, outputs = draw(st.integers(8, 40)), draw(st.integers(1, 40))
    return Problem(window, draw(st.integers(1, 3)), channels, outputs, 1, image, window.positions(image))


def layer_text(problem: Problem, kind: str = "Convolution", bottoms: int = 1) -> str:
    window = problem.window
    fields = zip(("pad", "dilation"), (window.pad, window.dilation), strict=True)
    text = " ".join(f"{name}: {v}" for name, values in fields for v in values)
    outputs = problem.channels if kind == "Deconvolution" else problem.outputs
    shape = (problem.outputs, *problem.positions) if kind == "Deconvolution" else (problem.channels, *problem.image)
    return net_text(kind, (problem.batch, *shape), f"num_output: {outputs} kernel_size: 3 {text}", bottoms)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.sampled_from(["Convolution", "Convolution", "Deconvolution"]))
def test_layers_agree_with_the_definition(problem: Problem, kind: str) -> None:
    compare(layer_text(problem, kind))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.sampled_from(TILES))
def test_every_tile_has_scratch_enough_and_agrees(problem: Problem, tile: int) -> None:
    net = build(layer_text(problem), backend="cpu")
    expected = run(net)
    layer = net.layer_dict["L"]
    assert isinstance(layer, Convolution)
    engine = WinogradEngine(layer, problem, tile)
    x, y, (w, b) = net.blobs["x0"], net.blobs["y0"], layer.blobs
    engine.image_to_map(x.read(), w.read(), b.read(), y.write())
    assert relative_error(y.data, expected["y0"]) < 4e-5
    dw = np.zeros_like(expected["dp0"])
    engine.add_weight_gradient(x.read(), y.read_diff(), dw)
    assert relative_error(dw, expected["dp0"]) < 4e-5
    if all(p <= 2 * d for p, d in zip(problem.window.pad, problem.window.dilation, strict=True)):
        engine.map_to_image(y.read_diff(), w.read(), None, x.write_diff())
        assert relative_error(x.diff, expected["dx0"]) < 4e-5


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    problems(), st.lists(st.tuples(st.integers(1, 2), *[st.integers(0, 30)] * 2), min_size=1), st.sampled_from(TILES)
)
def test_several_pictures_are_made_as_each_alone(first: Problem, others: list[tuple[int, int, int]], tile: int) -> None:
    net = build(layer_text(first), backend="cpu")
    layer = net.layer_dict["L"]
    assert isinstance(layer, Convolution)
    least = [max(1, 2 * d + 1 - 2 * p) for d, p in zip(first.window.dilation, first.window.pad, strict=True)]
    images = [(least[0] + rows, least[1] + columns) for _, rows, columns in others]
    batches = [batch for batch, *_ in others]
    several = [first] + [
        replace(first, batch=batch, image=image, positions=first.window.positions(image))
        for batch, image in zip(batches, images, strict=True)
    ]
    engines = [WinogradEngine(layer, problem, tile) for problem in several]
    assert engines[0].companions(engines[1:]) == engines[1:]
    random = np.random.default_rng(0)
    xs = [random.standard_normal((p.batch, p.channels, *p.image)).astype(np.float32) for p in several]
    ys, alone = ([np.full((p.batch, p.outputs, *p.positions), np.nan, np.float32) for p in several] for _ in range(2))
    w, b = (blob.read() for blob in layer.blobs)
    last = Epilogue(relu=True, slope=0.2)
    engines[0].images_to_maps([e.picture(x, y) for e, x, y in zip(engines, xs, ys, strict=True)], w, b, last)
    for engine, x, y, expected in zip(engines, xs, ys, alone, strict=True):
        engine.image_to_map(x, w, b, expected, last)
        np.testing.assert_array_equal(y, expected)
    assert np.isfinite(np.concatenate([y.ravel() for y in ys])).all()


def test_pictures_with_other_tiles_are_no_companions() -> None:
    text = net_text("Convolution", (1, 8, 20, 20), "num_output: 8 kernel_size: 3 pad: 1")
    layer = build(text, backend="cpu").layer_dict["L"]
    assert isinstance(layer, Convolution)
    small, large = (WinogradEngine(layer, layer._problem, tile) for tile in (2, 6))
    columns = ColumnsEngine(layer, layer._problem, "strips")
    assert large.companions([small, large, columns]) == [large]


@given(st.integers(1, 60), st.integers(1, 70), st.sampled_from(TILES))
def test_tiles_cover_every_output_once(out: int, rate: int, tile: int) -> None:
    covered = [range(phase, out, rate) for phase in range(rate)]
    assert sum(map(len, covered)) == out
    assert count_tiles(out, rate, tile) == sum(-(len(c) // -tile) for c in covered)


def test_several_bottoms_and_shared_parameters() -> None:
    text = net_text("Convolution", (2, 16, 20, 19), "num_output: 24 kernel_size: 3 pad: 2 dilation: 2", bottoms=2)
    assert build(text).layer_dict["L"].engine_used == "winograd"  # type: ignore[attr-defined]
    compare(text)


@pytest.mark.parametrize("rate", [1, 2])
def test_gradients(rate: int) -> None:
    text = net_text("Convolution", (2, 8, 7, 6), f"num_output: 9 kernel_size: 3 pad: {rate} dilation: {rate}")
    engine = build(text).layer_dict["L"]
    assert engine.engine_used == "winograd"  # type: ignore[attr-defined]
    check_gradient(text)


def test_any_number_of_threads_gives_the_same_numbers() -> None:
    text = net_text("Convolution", (2, 20, 50, 33), "num_output: 30 kernel_size: 3 pad: 2 dilation: 2")
    before, found = get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            set_num_threads(threads)
            found.append(run(build(text)))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        for name, values in found[0].items():
            np.testing.assert_array_equal(other[name], values)


def test_weights_may_change_between_passes() -> None:
    net = build(net_text("Convolution", (1, 8, 20, 20), "num_output: 8 kernel_size: 3 pad: 1"))
    before = run(net)["y0"]
    net.params["L"][0].data[...] *= 2
    net.params["L"][1].data[...] *= 2
    net.forward()
    assert relative_error(net.blobs["y0"].data, 2 * before) < 1e-6


def test_accuracy_over_many_channels() -> None:
    """Errors stay at a few hundred-thousandths of the largest output even for random numbers of both signs."""
    net = build(net_text("Convolution", (1, 512, 17, 17), "num_output: 20 kernel_size: 3 pad: 1"))
    exact = build(net_text("Convolution", (1, 512, 17, 17), "num_output: 20 kernel_size: 3 pad: 1"), "CAFFE")
    layer = net.layer_dict["L"]
    assert isinstance(layer, Convolution)
    expected = run(exact)["y0"]
    run(net)
    for tile, bound in zip(TILES, (1e-6, 5e-6, 5e-6, 1e-5), strict=True):
        engine = WinogradEngine(layer, layer._problem, tile)
        y = net.blobs["y0"]
        engine.image_to_map(net.blobs["x0"].read(), layer.blobs[0].read(), layer.blobs[1].read(), y.write())
        assert relative_error(y.data, expected) < bound


def test_the_largest_of_tiles_that_cost_much_the_same_is_chosen() -> None:
    """So that the three scales of a layer of ResNet-101 have one tile and are made together."""
    for size in (65, 49, 33):
        window = Window((3, 3), (1, 1), (2, 2), (2, 2))
        problem = Problem(window, 1, 256, 256, 1, (size, size), (size, size))
        cost, tile = choose_tile(problem, "forward")
        assert (cost, tile) == (winograd_cost(problem, "forward", 6), 6)
        assert cost <= 1.02 * min(winograd_cost(problem, "forward", t) for t in TILES)
        assert choose_engine("DEFAULT", problem).tile == 6
    small = Problem(Window((3, 3), (1, 1), (4, 4), (4, 4)), 1, 512, 512, 1, (33, 33), (33, 33))
    assert choose_tile(small, "forward")[1] == 4


def test_choice_is_reproducible() -> None:
    window = Window((3, 3), (1, 1), (6, 6), (6, 6))
    problem = Problem(window, 1, 64, 64, 1, (65, 65), (65, 65))
    assert len({choose_engine("DEFAULT", problem) for _ in range(3)}) == 1
