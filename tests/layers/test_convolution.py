"""Convolution, Deconvolution and Im2col: engines against the definition, errors, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pydeeplab
from pydeeplab import TEST, Net
from pydeeplab.errors import LayerError, ShapeError
from pydeeplab.layers._convolution_columns import STRIP_ELEMENTS
from pydeeplab.layers._convolution_engine import choose_engine
from pydeeplab.layers._convolution_problem import Problem
from pydeeplab.layers.convolution import Convolution, Epilogue
from pydeeplab.layers.window import Window
from pydeeplab.threads import get_num_threads
from tests.support.gradient import check_gradient
from tests.support.kernels import relative_error


def net_text(kind: str, shape: tuple[int, ...], param: str, bottoms: int = 1) -> str:
    dims = " ".join(f"dim: {d}" for d in shape)
    names = [f"x{i}" for i in range(bottoms)]
    sources = [f'name: "{n}" type: "Input" top: "{n}" input_param {{ shape {{ {dims} }} }}' for n in names]
    wires = " ".join(f'bottom: "{n}" top: "y{n[1:]}"' for n in names)
    layers = [*sources, f'name: "L" type: "{kind}" {wires} convolution_param {{ {param} }}']
    return "force_backward: true\n" + "\n".join(f"layer {{ {text} }}" for text in layers)


def build(text: str, engine: str = "DEFAULT", backend: str = "cpu", dtype: Any = np.float32) -> Net:
    return Net.from_text(text, TEST, engine=engine, backend=backend, dtype=dtype)


def run(net: Net, seed: int = 0) -> dict[str, np.ndarray]:
    """Forward and backward with random data, weights and top gradients."""
    random = np.random.default_rng(seed)
    blobs = [net.blobs[n] for n in net.inputs] + list(net.params["L"])
    for blob in blobs:
        blob.data[...] = random.standard_normal(blob.shape)
    net.forward()
    for name in net.outputs:
        net.blobs[name].diff[...] = random.standard_normal(net.blobs[name].shape)
    net.clear_param_diffs()
    net.backward()
    found = {n: net.blobs[n].data.copy() for n in net.outputs}
    found |= {f"d{n}": net.blobs[n].diff.copy() for n in net.inputs}
    return found | {f"dp{i}": b.diff.copy() for i, b in enumerate(net.params["L"])}


def compare(text: str, backend_tolerance: float = 2e-5) -> None:
    """Both engines of the cpu backend against the reference backend in double precision."""
    expected = run(build(text, backend="reference", dtype=np.float64))
    for engine in ("CAFFE", "DEFAULT"):
        for name, values in run(build(text, engine)).items():
            error = relative_error(values, expected[name])
            assert error <= backend_tolerance, f"{engine} {name}: error {error:.3g} of the largest value"


@st.composite
def convolutions(draw: Callable[..., Any]) -> tuple[str, tuple[int, ...], str]:
    transposed = draw(st.booleans())
    axes = draw(st.sampled_from([1, 2, 2, 2, 2, 3]))
    group = draw(st.sampled_from([1, 1, 2, 3]))
    channels, outputs = (group * draw(st.integers(1, 4)) for _ in range(2))
    kernel, stride, pad, rate = ([draw(st.integers(*r)) for _ in range(axes)] for r in ((1, 4), (1, 3), (0, 3), (1, 5)))
    size = []
    for k, s, p, d in zip(kernel, stride, pad, rate, strict=True):
        least = max(1, (2 * p - d * (k - 1) + s - 1) // s + 1 if transposed else d * (k - 1) + 1 - 2 * p)
        size.append(least + draw(st.integers(0, 9)))
    fields = [("kernel_size", kernel), ("stride", stride), ("pad", pad), ("dilation", rate)]
    text = " ".join(f"{name}: {v}" for name, values in fields for v in values)
    text += f" num_output: {outputs} group: {group} bias_term: {str(draw(st.booleans())).lower()}"
    text += f" force_nd_im2col: {str(draw(st.booleans())).lower()}"
    return "Deconvolution" if transposed else "Convolution", (draw(st.integers(1, 3)), channels, *size), text


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(convolutions())
def test_engines_agree_with_the_definition(case: tuple[str, tuple[int, ...], str]) -> None:
    kind, shape, param = case
    compare(net_text(kind, shape, param))


@pytest.mark.parametrize(
    ("kind", "shape", "param"),
    [
        ("Convolution", (2, 20, 33, 41), "num_output: 40 kernel_size: 3 pad: 2 dilation: 2"),
        ("Convolution", (1, 16, 40, 30), "num_output: 24 kernel_size: 3 pad: 12 dilation: 12"),
        ("Convolution", (1, 3, 65, 67), "num_output: 16 kernel_size: 7 pad: 3 stride: 2"),
        ("Convolution", (3, 48, 17, 19), "num_output: 33 kernel_size: 1"),
        ("Convolution", (2, 48, 33, 35), "num_output: 21 kernel_size: 1 stride: 2"),
        ("Convolution", (2, 24, 30, 31), "num_output: 24 kernel_size: 3 pad: 1 group: 24"),
        ("Convolution", (2, 24, 30, 31), "num_output: 48 kernel_size: 3 pad: 2 dilation: 2 stride: 2 group: 24"),
        ("Convolution", (2, 32, 24, 25), "num_output: 64 kernel_size: 3 pad: 1 group: 8"),
        ("Deconvolution", (1, 21, 9, 12), "num_output: 21 kernel_size: 16 stride: 8 pad: 4 group: 21 bias_term: false"),
        ("Deconvolution", (2, 21, 10, 11), "num_output: 21 kernel_size: 4 stride: 2"),
        ("Deconvolution", (2, 40, 20, 22), "num_output: 30 kernel_size: 3 pad: 1"),
        ("Convolution", (5, 64, 7, 7), "num_output: 100 kernel_size: 7"),
    ],
)
def test_engines_agree_at_sizes_of_real_nets(kind: str, shape: tuple[int, ...], param: str) -> None:
    compare(net_text(kind, shape, param))


def test_definition_by_hand() -> None:
    """Rate 2 by the formula, pixel by pixel."""
    net = build(net_text("Convolution", (1, 2, 6, 5), "num_output: 1 kernel_size: 2 pad: 1 dilation: 2 stride: 1"))
    found = run(net, seed=3)["y0"]
    x, w, b = net.blobs["x0"].data, net.params["L"][0].data, net.params["L"][1].data
    assert found.shape == (1, 1, 6, 5)
    for i in range(6):
        for j in range(5):
            total = float(b[0])
            for c in range(2):
                for u in range(2):
                    for v in range(2):
                        h, k = i - 1 + 2 * u, j - 1 + 2 * v
                        if 0 <= h < 6 and 0 <= k < 5:
                            total += float(w[0, c, u, v]) * float(x[0, c, h, k])
            assert found[0, 0, i, j] == pytest.approx(total, abs=1e-5)


def test_several_bottoms_share_weights() -> None:
    text = net_text("Convolution", (2, 3, 8, 9), "num_output: 4 kernel_size: 3", bottoms=2)
    compare(text)
    net = build(text)
    found = run(net)
    single = build(net_text("Convolution", (2, 3, 8, 9), "num_output: 4 kernel_size: 3"))
    for name in ("x0", "x1"):
        for mine, theirs in zip(single.params["L"], net.params["L"], strict=True):
            mine.data[...] = theirs.data
        single.blobs["x0"].data[...] = net.blobs[name].data
        single.forward()
        np.testing.assert_array_equal(single.blobs["y0"].data, found[f"y{name[1]}"])


def test_parameter_gradients_accumulate() -> None:
    net = build(net_text("Convolution", (1, 3, 8, 9), "num_output: 4 kernel_size: 3"))
    once = run(net)
    net.backward()
    for i in range(2):
        np.testing.assert_allclose(net.params["L"][i].diff, 2 * once[f"dp{i}"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(net.blobs["x0"].diff, once["dx0"])


@pytest.mark.parametrize("axis", [0, 2])
def test_other_axes(axis: int) -> None:
    shape = (3, 8, 9) if axis == 0 else (2, 2, 3, 8, 9)
    net = build(net_text("Convolution", shape, f"num_output: 4 kernel_size: 3 axis: {axis}"))
    found = run(net)["y0"]
    assert found.shape == (*shape[:axis], 4, 6, 7)
    plain = build(net_text("Convolution", (math.prod(shape[:axis]), 3, 8, 9), "num_output: 4 kernel_size: 3"))
    assert relative_error(found.reshape(-1, 4, 6, 7), run(plain)["y0"]) < 1e-6


def test_without_spatial_axes_it_is_a_matrix_product() -> None:
    net = build(net_text("Convolution", (5, 3), "num_output: 4 kernel_size: 1"))
    found = run(net)["y0"]
    expected = net.blobs["x0"].data @ net.params["L"][0].data.T + net.params["L"][1].data
    assert relative_error(found, expected) < 1e-6


def test_reshape_keeps_working() -> None:
    net = build(net_text("Convolution", (1, 3, 8, 9), "num_output: 4 kernel_size: 3 pad: 1"))
    net.blobs["x0"].reshape(2, 3, 30, 31)
    found = run(net)["y0"]
    other = run(build(net_text("Convolution", (2, 3, 30, 31), "num_output: 4 kernel_size: 3 pad: 1")))["y0"]
    np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize(
    ("kind", "shape", "param", "words"),
    [
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3 group: 2", ["channels", "3", "group 2"]),
        ("Convolution", (1, 4, 8, 8), "num_output: 5 kernel_size: 3 group: 2", ["num_output", "5", "group 2"]),
        ("Convolution", (1, 4, 8, 8), "num_output: 4 kernel_size: 3 group: 0", ["group", "at least 1"]),
        ("Convolution", (1, 3, 8, 8), "kernel_size: 3", ["num_output"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4", ["kernel_size", "missing"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 0", ["kernel_size", "at least 1"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_h: 3", ["kernel_size", "at least 1", "3 x 0"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3 kernel_h: 3 kernel_w: 3", ["not both"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3 stride: 0", ["stride", "at least 1"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3 dilation: 0", ["dilation", "at least 1"]),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: [3, 3, 3]", ["kernel_size", "(2)", "3 values"]),
        ("Convolution", (1, 3, 8), "num_output: 4 kernel_h: 3 kernel_w: 3", ["two spatial axes"]),
        (
            "Convolution",
            (1, 3, 5, 9),
            "num_output: 4 kernel_size: 3 dilation: 6 pad: 2",
            ["13 x 13", "9 x 13", "5 x 9", "larger input"],
        ),
        ("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3 axis: 7", ["axis 7", "out of range"]),
        ("Deconvolution", (1, 3, 1, 1), "num_output: 4 kernel_size: 2 pad: 1", ["0 x 0", "smaller pad"]),
        ("Im2col", (1, 3, 5, 5), "kernel_size: 7", ["7 x 7", "5 x 5"]),
        ("Im2col", (1, 3), "kernel_size: 1", ["axes behind axis 1"]),
    ],
)
def test_errors_name_layer_and_way_out(kind: str, shape: tuple[int, ...], param: str, words: list[str]) -> None:
    with pytest.raises(LayerError) as caught:
        build(net_text(kind, shape, param))
    for word in ["'L'", kind, *words]:
        assert word in str(caught.value), str(caught.value)


def test_error_when_channels_change() -> None:
    net = build(net_text("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3"))
    net.blobs["x0"].reshape(1, 5, 8, 8)
    with pytest.raises(ShapeError, match=r"3 channels.*\(1, 5, 8, 8\)"):
        net.forward()


def test_error_when_bottoms_differ() -> None:
    net = build(net_text("Convolution", (1, 3, 8, 8), "num_output: 4 kernel_size: 3", bottoms=2))
    net.blobs["x1"].reshape(1, 3, 9, 8)
    with pytest.raises(ShapeError, match="one shape"):
        net.forward()


def problem(
    outputs: int = 16,
    group: int = 1,
    kernel: int = 3,
    size: int = 65,
    axes: int = 2,
    channels: int = 16,
    rate: int = 1,
    pad: int = 0,
) -> Problem:
    window = Window((kernel,) * axes, (1,) * axes, (pad,) * axes, (rate,) * axes)
    return Problem(window, 1, channels, outputs, group, (size,) * axes, window.positions((size,) * axes))


@pytest.mark.parametrize(
    ("requested", "given", "expected"),
    [
        ("CAFFE", problem(), "im2col"),
        ("DEFAULT", problem(), "winograd"),
        ("DEFAULT", problem(kernel=5), "packed"),
        ("DEFAULT", problem(kernel=1), "packed"),
        ("DEFAULT", problem(group=16), "depthwise"),
        ("CAFFE", problem(group=16), "im2col"),
        ("DEFAULT", problem(outputs=160, group=16), "strips"),
        ("DEFAULT", problem(outputs=1), "shift"),
        ("DEFAULT", problem(size=7, kernel=2), "im2col"),
        ("DEFAULT", problem(axes=3, size=9), "nd"),
        ("CAFFE", problem(axes=3, size=9), "nd"),
    ],
)
def test_engine_choice(requested: str, given: Problem, expected: str) -> None:
    choice = choose_engine(requested, given)
    assert choice.name == expected
    assert choice.reason


@pytest.mark.parametrize(
    ("given", "operation", "expected"),
    [
        (problem(512, channels=512, pad=1), "forward", "winograd 6"),
        (problem(1024, channels=512, pad=12, rate=12), "forward", "winograd 6"),
        (problem(1024, channels=512, pad=18, rate=18), "forward", "winograd 4"),
        (problem(1024, channels=512, pad=24, rate=24), "forward", "winograd 3"),
        (problem(1024, channels=512, pad=24, rate=24, size=41), "forward", "shift 0"),
        (problem(1024, channels=512, pad=24, rate=24, size=41), "backward_data", "winograd 2"),
        (problem(64, channels=3, pad=1, size=513), "forward", "packed 0"),
        (problem(64, channels=3, pad=1, size=513), "backward_weights", "product 0"),
        (problem(64, channels=3, pad=1, size=65), "backward_data", "winograd 6"),
        (problem(64, channels=64, pad=3), "forward", "winograd 6"),
        (problem(64, channels=64, pad=3), "backward_data", "strips 0"),
        (problem(64, channels=64, kernel=5, pad=2), "backward_data", "strassen 0"),
        (problem(64, channels=3, kernel=7, pad=3), "backward_data", "strips 0"),
        (problem(21, channels=2048, pad=24, rate=24, size=41), "backward_data", "strassen 0"),
        (problem(256, channels=1024, kernel=1), "backward_data", "strassen 0"),
        (problem(64, channels=64, kernel=1), "backward_data", "packed 0"),
        (problem(21, channels=1024, kernel=1), "backward_data", "gemm 0"),
        (problem(256, channels=1024, kernel=1, size=21), "backward_data", "gemm 0"),
        (problem(512, channels=512, group=2, kernel=1), "backward_data", "gemm 0"),
        (problem(64, channels=64, kernel=1), "backward_weights", "product 0"),
        (problem(256, channels=1024, kernel=1), "forward", "strassen 0"),
        (problem(1024, channels=256, kernel=1, size=33), "forward", "strassen 0"),
        (problem(256, channels=64, kernel=1, size=129), "forward", "packed 0"),
        (problem(21, channels=1024, kernel=1), "forward", "packed 0"),
        (problem(2048, channels=1024, kernel=1), "forward", "strassen 0"),
        (problem(512, channels=512, group=2, kernel=1), "forward", "gemm 0"),
    ],
)
def test_engine_choice_follows_the_costs(given: Problem, operation: str, expected: str) -> None:
    choice = choose_engine("DEFAULT", given, operation=operation)
    assert f"{choice.name} {choice.tile}" == expected


def test_a_backend_that_lacks_kernels_has_other_engines() -> None:
    kernels = ["winograd_forward", "conv_forward_strassen", "conv_forward_packed", "conv_forward_strips"]
    given = problem(256, channels=256)
    names = [choose_engine("DEFAULT", given, lacking=kernels[:n]).name for n in range(5)]
    assert names == ["winograd", "strassen", "packed", "strips", "im2col"]


def test_layer_engine_overrides_the_net() -> None:
    def used(layer: str, net: str) -> str:
        text = net_text("Convolution", (1, 16, 40, 40), f"num_output: 16 kernel_size: 3 {layer}")
        found: str = build(text, net).layer_dict["L"].engine_used  # type: ignore[attr-defined]
        return found

    assert used("engine: CAFFE", "DEFAULT") == "im2col"
    assert used("engine: CUDNN", "CAFFE") == "winograd"
    assert used("", "CAFFE") == "im2col"
    assert used("engine: DEFAULT", "DEFAULT") == "winograd"


def test_strips_need_less_memory() -> None:
    text = net_text("Convolution", (1, 64, 150, 150), "num_output: 64 kernel_size: 5 pad: 2")
    sizes = {}
    for engine in ("CAFFE", "DEFAULT"):
        net = build(text, engine)
        net.forward()
        sizes[engine] = net.workspace.nbytes
    assert sizes["CAFFE"] == 64 * 25 * 150 * 150 * 4
    assert sizes["DEFAULT"] <= min(1.1 * sizes["CAFFE"], STRIP_ELEMENTS * 4 * get_num_threads())


@pytest.mark.parametrize("engine", ["CAFFE", "DEFAULT"])
@pytest.mark.parametrize(
    "param",
    [
        "kernel_size: 3 pad: 2 dilation: 2",
        "kernel_size: 3 pad: 1 bias_term: false",
        "kernel_size: 1",
        "kernel_size: 3 stride: 2",
        "kernel_size: 3 group: 16 bias_term: false",
    ],
)
def test_forward_with_what_follows(param: str, engine: str) -> None:
    net = build(net_text("Convolution", (2, 16, 33, 30), f"num_output: 16 {param}"), engine)
    plain = run(net)["y0"]
    random = np.random.default_rng(1)
    scale, shift = (random.uniform(0.5, 2, 16).astype(np.float32) for _ in range(2))
    layer, bottom, top = net.layer_dict["L"], [net.blobs["x0"]], [net.blobs["y0"]]
    assert isinstance(layer, Convolution)
    for epilogue in (Epilogue(scale, shift, True, 0.1), Epilogue(None, shift), Epilogue(scale, None, True), Epilogue()):
        top[0].data[...] = np.nan
        layer.forward_pictures([layer.picture(*bottom, *top)], epilogue)
        expected = plain * scale.reshape(-1, 1, 1) if epilogue.scale is not None else plain.copy()
        if epilogue.shift is not None:
            expected += shift.reshape(-1, 1, 1)
        if epilogue.relu:
            expected = np.maximum(expected, 0) + epilogue.slope * np.minimum(expected, 0)
        assert relative_error(top[0].data, expected) < 1e-5


def test_summary_numbers() -> None:
    param = "num_output: 4 kernel_size: 3 pad: 2 dilation: 2 stride: 2 group: 2"
    net = build(net_text("Convolution", (2, 6, 20, 30), param))
    layer = net.layer_dict["L"]
    assert layer.geometry == pydeeplab.layer.Geometry((3, 3), (2, 2), (2, 2), (2, 2))
    assert layer.multiply_adds([net.blobs["x0"]], [net.blobs["y0"]]) == 2 * 4 * 10 * 15 * 3 * 9


GRADIENT_CASES = [
    ("Convolution", (2, 4, 7, 6), "num_output: 6 kernel_size: 3 pad: 2 dilation: 2 stride: 2 group: 2"),
    ("Convolution", (2, 3, 5, 6), "num_output: 2 kernel_size: 1"),
    ("Convolution", (2, 4, 6, 5), "num_output: 8 kernel_size: 3 pad: 1 group: 4"),
    ("Convolution", (2, 2, 9), "num_output: 3 kernel_size: 3 stride: 2"),
    ("Convolution", (1, 2, 4, 5, 4), "num_output: 2 kernel_size: 2 pad: 1"),
    ("Deconvolution", (2, 4, 4, 5), "num_output: 2 kernel_size: 4 stride: 2 pad: 1 group: 2"),
    ("Deconvolution", (1, 3, 4, 3), "num_output: 3 kernel_size: 4 stride: 2 pad: 1 group: 3"),
    ("Deconvolution", (1, 2, 5), "num_output: 3 kernel_size: 3 dilation: 2"),
    ("Im2col", (2, 3, 6, 5), "kernel_size: 3 stride: 2 pad: 1"),
    ("Im2col", (2, 3, 7), "kernel_size: 3 dilation: 2"),
    ("Im2col", (1, 2, 4, 3, 4), "kernel_size: 2"),
]


@pytest.mark.parametrize(("kind", "shape", "param"), GRADIENT_CASES)
def test_gradients(kind: str, shape: tuple[int, ...], param: str) -> None:
    check_gradient(net_text(kind, shape, param))


def test_gradient_of_shared_weights() -> None:
    check_gradient(net_text("Convolution", (1, 2, 5, 6), "num_output: 3 kernel_size: 3 pad: 1", bottoms=2))


def test_no_spatial_axes_need_no_columns_even_if_asked() -> None:
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "c" type: "Convolution" bottom: "x" top: "y"
      convolution_param { num_output: 4 force_nd_im2col: true weight_filler { type: "xavier" } } }
    """
    net = Net.from_text(text)
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    y = net.forward(x=x)["y"]
    np.testing.assert_allclose(y, x @ net.params["c"][0].data.reshape(4, 3).T, rtol=1e-5)
