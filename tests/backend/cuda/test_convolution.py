"""Convolution on the device: tiles of all sizes, sums in slices, tensor cores, several images at a time, engines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.layer import TEST
from pydeeplab.layers._convolution_engine import choose_engine
from pydeeplab.layers._convolution_implicit import FEW_FILTERS
from pydeeplab.layers._convolution_problem import Problem
from pydeeplab.layers.window import Window
from pydeeplab.net import Net
from tests.backend.cases.conv import Geometry
from tests.support.kernels import relative_error

LARGE = [
    Geometry("narrow", (19, 23), (3, 3), (1, 1), (12, 12), (12, 12), channels=70, outputs=21),
    Geometry("middle", (9, 11), (3, 3), (1, 1), (2, 2), (2, 2), batch=3, channels=34, outputs=70),
    Geometry("long-sums", (5, 6), (3, 3), (1, 1), (1, 1), (1, 1), batch=1, channels=190, outputs=66),
    Geometry("wide-stride", (21, 30), (5, 4), (2, 3), (3, 1), (3, 2), channels=35, outputs=33),
    Geometry("groups", (9, 8), (3, 3), (2, 1), (1, 1), (1, 2), channels=80, outputs=48, group=2),
    Geometry("upsampling", (30, 27), (8, 8), (4, 4), (2, 2), (1, 1), channels=3, outputs=20),
]
LARGEST = Geometry("whole-tiles", (94, 94), (3, 3), (1, 1), (1, 1), (1, 1), channels=8, outputs=132)
PASSES = ("forward", "backward_data", "backward_weights")


def arrays(g: Geometry, operation: str, seed: int = 0) -> list[Any]:
    """The arrays of a pass: two factors, for the first two passes a bias, and what is computed."""
    random = np.random.default_rng(seed)

    def real(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    x, y = real(g.batch, g.channels, *g.size), real(g.batch, g.outputs, *g.out)
    w = real(g.outputs, g.channels // g.group, *g.kernel)
    if operation == "forward":
        return [x, w, real(g.outputs), np.full_like(y, np.nan)]
    if operation == "backward_data":
        return [y, w, real(g.channels), np.full_like(x, np.nan)]
    return [x, y, w]


def compute(backend: str, g: Geometry, operation: str, kernel: str, columns: int = 0) -> np.ndarray:
    values = arrays(g, operation)
    scratch = np.empty(columns, np.float32)
    function = getattr(get_backend(backend).kernels, kernel)
    if kernel == "conv_forward_packed":
        x, w, bias, y = values
        function([x], w, None, bias, None, [y], scratch, *g.window, g.group, False, 0.0)
    else:
        function(*values, scratch, *g.window, g.group)
    found: np.ndarray = values[-1]
    return found


def implicit(operation: str) -> str:
    return "conv_forward_packed" if operation == "forward" else f"conv_{operation}_implicit"


@pytest.fixture(params=["strict", "tf32"])
def tolerance(request: pytest.FixtureRequest, backend: CudaBackend) -> Iterator[float]:
    """What an error may be in each math mode, while the mode is chosen."""
    backend.blas.set_math(request.param)
    yield 1e-5 if request.param == "strict" else 2e-3
    backend.blas.set_math("strict")


@pytest.mark.parametrize("operation", PASSES)
@pytest.mark.parametrize("g", LARGE, ids=lambda g: g.label)
def test_without_columns(name: str, tolerance: float, g: Geometry, operation: str) -> None:
    expected = compute("reference", g, operation, f"conv_{operation}")
    found = compute(name, g, operation, implicit(operation))
    assert relative_error(found, expected) <= tolerance


def test_the_largest_tiles(name: str, tolerance: float) -> None:
    expected = compute("reference", LARGEST, "forward", "conv_forward")
    assert relative_error(compute(name, LARGEST, "forward", "conv_forward_packed"), expected) <= tolerance


def test_tf32_rounds_the_factors(backend: CudaBackend, name: str) -> None:
    g = LARGE[0]
    backend.blas.set_math("tf32")
    rounded = compute(name, g, "forward", "conv_forward_packed")
    backend.blas.set_math("strict")
    strict = compute(name, g, "forward", "conv_forward_packed")
    assert relative_error(rounded, strict) > 1e-5


@pytest.mark.parametrize("operation", PASSES)
def test_two_runs_give_the_same_bits(name: str, operation: str) -> None:
    for g in LARGE[:3]:
        first, second = (compute(name, g, operation, implicit(operation)) for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_an_image_alone_or_in_a_batch_gives_the_same_bits_of_one_tiling(name: str) -> None:
    """Values depend on an image's place in its tile no more than on the images beside it."""
    g = replace(LARGEST, batch=3)
    whole = arrays(g, "forward")
    compute_batch = get_backend(name).kernels.conv_forward_packed
    compute_batch(
        [whole[0]], whole[1], None, whole[2], None, [whole[3]], np.empty(0, np.float32), *g.window, 1, False, 0.0
    )
    two = [whole[0][1:], *whole[1:3], np.empty_like(whole[3][1:])]
    compute_batch([two[0]], two[1], None, two[2], None, [two[3]], np.empty(0, np.float32), *g.window, 1, False, 0.0)
    np.testing.assert_array_equal(two[3], whole[3][1:])


@pytest.mark.parametrize("images", [1, 2, 3, 7])
@pytest.mark.parametrize("operation", PASSES)
def test_columns_of_several_images(name: str, operation: str, images: int) -> None:
    g = replace(LARGE[1], batch=5)
    expected = compute("reference", g, operation, f"conv_{operation}")
    found = compute(name, g, operation, f"conv_{operation}", images * g.columns)
    assert relative_error(found, expected) <= 1e-5


def problem(kernel: int = 3, stride: int = 1, group: int = 1, channels: int = 64, outputs: int = 64) -> Problem:
    window = Window((kernel,) * 2, (stride,) * 2, (kernel // 2,) * 2, (1,) * 2)
    size = (65, 65)
    return Problem(window, 2, channels, outputs, group, size, window.positions(size))


@pytest.mark.parametrize(
    ("given", "operation", "expected"),
    [
        (problem(), "forward", "implicit"),
        (problem(), "backward_data", "implicit"),
        (problem(), "backward_weights", "implicit"),
        (problem(outputs=21), "forward", "implicit"),
        (problem(1), "forward", "im2col"),
        (problem(1, stride=2), "forward", "implicit"),
        (problem(group=4), "forward", "implicit"),
        (problem(group=16, outputs=16 * FEW_FILTERS - 16), "forward", "im2col"),
        (problem(group=64), "forward", "depthwise"),
        (problem(3, stride=33), "backward_data", "im2col"),
        (problem(3, stride=33), "forward", "implicit"),
    ],
)
def test_choice(backend: CudaBackend, given: Problem, operation: str, expected: str) -> None:
    choice = choose_engine("DEFAULT", given, operation=operation, lacking=backend.missing)
    assert choice.name == expected
    assert choice.reason
    assert choose_engine("CAFFE", given, operation=operation, lacking=backend.missing).name == "im2col"


def test_memory_of_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns are made for as many images as fit the bound, and for one at least; without columns there are none."""
    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 5 dim: 4 dim: 9 dim: 9 } } }'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param { '
        "num_output: 8 kernel_size: 3 pad: 1 } }"
    )
    one = 4 * 9 * 81
    for bound, images in ((1, 1), (3 * one + 5, 3), (100 * one, 5)):
        monkeypatch.setattr("pydeeplab.layers._convolution_columns.DEVICE_ELEMENTS", bound)
        net = Net.from_text(text, TEST, engine="CAFFE", backend=name)
        net.forward()
        assert net.workspace.nbytes == 4 * images * one
    net = Net.from_text(text, TEST, backend=name)
    net.forward()
    assert net.workspace.nbytes == 0
    assert math.isfinite(float(net.blobs["y"].data.sum()))


@pytest.mark.parametrize("engine", ["CAFFE", "DEFAULT"])
@pytest.mark.parametrize("following", ["", "scale", "bias", "scale and bias"])
def test_what_follows_is_merged(name: str, engine: str, following: str) -> None:
    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } } }'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param { '
        'num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }'
    )
    if "scale" in following:
        text += 'layer { name: "s" type: "Scale" bottom: "y" top: "y" }'
    if "bias" in following:
        text += 'layer { name: "b" type: "Bias" bottom: "y" top: "y" }'
    text += 'layer { name: "r" type: "ReLU" bottom: "y" top: "y" }'
    random = np.random.default_rng(1)
    nets = [Net.from_text(text, TEST, backend="cpu", engine="CAFFE")]
    nets.append(Net.from_text(text, TEST, backend=name, engine=engine, keep="outputs"))
    values = [random.standard_normal(b.shape) for blobs in nets[0].params.values() for b in blobs]
    x = random.standard_normal((2, 4, 9, 9)).astype(np.float32)
    found = []
    for net in nets:
        for blob, value in zip((b for blobs in net.params.values() for b in blobs), values, strict=True):
            blob.data[...] = value
        found.append(net.forward(x=x)["y"])
    assert relative_error(found[1], found[0]) <= 1e-5
