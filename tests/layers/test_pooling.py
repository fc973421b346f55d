"""Pooling, SPP, Upsample and Unpooling: against the definition, sizes, errors, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import pydeeplab
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import DataError, LayerError, UnsupportedError
from tests.support.gradient import check_gradient
from tests.support.kernels import relative_error


def layer(kind: str, param: str, bottoms: str = "x", tops: str = "y") -> str:
    wires = " ".join([f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in tops.split()])
    return f'layer {{ name: "{kind}" type: "{kind}" {wires} {param} }}\n'


def source(*shape: int, name: str = "x") -> str:
    dims = " ".join(f"dim: {d}" for d in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def pooling(param: str, tops: str = "y") -> str:
    return layer("Pooling", f"pooling_param {{ {param} }}", tops=tops)


def build(text: str, phase: int = TRAIN, backend: str = "cpu", dtype: Any = np.float32) -> Net:
    return Net.from_text("force_backward: true\n" + text, phase, backend=backend, dtype=dtype)


def run(net: Net, x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The top and, for a random gradient of the top, the bottom's gradient."""
    net.blobs["x"].data[...] = x
    net.forward()
    y = net.blobs["y"].data.copy()
    for name in net.outputs:
        net.blobs[name].diff[...] = 0
    net.blobs["y"].diff[...] = np.random.default_rng(seed).standard_normal(y.shape)
    net.backward()
    return y, net.blobs["x"].diff.copy()


@st.composite
def poolings(draw: Callable[..., Any]) -> tuple[tuple[int, ...], str]:
    kernel, stride, size = ([draw(st.integers(1, top)) for _ in range(2)] for top in (5, 4, 20))
    pad = [draw(st.integers(0, k - 1)) for k in kernel]
    assume(all(-(-(n + 2 * p - k) // s) >= 0 for n, p, k, s in zip(size, pad, kernel, stride, strict=True)))
    text = f"pool: {draw(st.sampled_from(['MAX', 'AVE']))} round_mode: {draw(st.sampled_from(['CEIL', 'FLOOR']))}"
    assume("CEIL" in text or all(n + 2 * p >= k for n, p, k in zip(size, pad, kernel, strict=True)))
    for name, values in (("kernel", kernel), ("stride", stride), ("pad", pad)):
        text += f" {name}_h: {values[0]} {name}_w: {values[1]}"
    return (draw(st.integers(1, 3)), draw(st.integers(1, 4)), *size), text


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(poolings(), st.booleans())
def test_agrees_with_the_definition(case: tuple[tuple[int, ...], str], ties: bool) -> None:
    shape, param = case
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    x = np.round(x) if ties else x
    text = source(*shape) + pooling(param)
    expected = run(build(text, TRAIN, "reference", np.float64), x)
    for phase in (TRAIN, TEST):
        for got, wanted in zip(run(build(text, phase), x), expected, strict=True):
            assert relative_error(got, wanted) < 1e-5


@pytest.mark.parametrize(
    ("size", "param", "pooled"),
    [
        (321, "kernel_size: 3 stride: 2 pad: 1", 161),
        (161, "kernel_size: 3 stride: 2 pad: 1", 81),
        (306, "kernel_size: 2 stride: 2 pad: 1", 154),
        (154, "kernel_size: 2 stride: 2 pad: 1", 78),
        (514, "kernel_size: 2 stride: 2 pad: 1", 258),
        (40, "kernel_size: 2 stride: 1", 39),
        (66, "kernel_size: 2 stride: 1 pad: 1", 67),
        (41, "kernel_size: 3 stride: 1 pad: 1", 41),
        (10, "kernel_size: 3 stride: 2", 5),
        (10, "kernel_size: 3 stride: 2 round_mode: FLOOR", 4),
        (2, "kernel_size: 3 stride: 2", 1),
        (9, "global_pooling: true", 1),
    ],
)
def test_output_sizes(size: int, param: str, pooled: int) -> None:
    assert build(source(1, 1, size, size) + pooling(param)).blobs["y"].shape == (1, 1, pooled, pooled)


def test_first_of_equal_values_gets_the_gradient() -> None:
    net = build(source(1, 1, 2, 4) + pooling("kernel_size: 2 stride: 2", tops="y mask"))
    net.blobs["x"].data[...] = [[[[5, 5, 1, 2], [5, 5, 2, 2]]]]
    net.forward()
    np.testing.assert_array_equal(net.blobs["y"].data, [[[[5, 2]]]])
    np.testing.assert_array_equal(net.blobs["mask"].data, [[[[0, 3]]]])
    net.blobs["y"].diff[...] = [[[[10, 20]]]]
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, [[[[10, 0, 0, 20], [0, 0, 0, 0]]]])


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_nan_never_wins(phase: int) -> None:
    net = build(source(1, 1, 2, 4) + pooling("kernel_size: 2 stride: 2"), phase)
    nan = np.nan
    y, dx = run(net, np.array([[[[nan, 1, nan, nan], [3, nan, nan, nan]]]]))
    np.testing.assert_array_equal(y, [[[[3, -np.finfo(np.float32).max]]]])
    assert np.count_nonzero(dx) == 1
    assert dx[0, 0, 1, 0] != 0


def test_average_counts_padding_but_not_beyond_it() -> None:
    net = build(source(1, 1, 3, 3) + pooling("pool: AVE kernel_size: 3 stride: 2 pad: 1"))
    y, _ = run(net, np.ones((1, 1, 3, 3)))
    np.testing.assert_allclose(y, np.full((1, 1, 2, 2), 4 / 9), rtol=1e-6)
    net = build(source(1, 1, 4, 4) + pooling("pool: AVE kernel_size: 3 stride: 2 pad: 1"))
    y, _ = run(net, np.ones((1, 1, 4, 4)))
    np.testing.assert_allclose(y[0, 0], [[4 / 9, 6 / 9, 2 / 6], [6 / 9, 1, 3 / 6], [2 / 6, 3 / 6, 1 / 4]], rtol=1e-6)


def test_test_phase_finds_the_same_gradient() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 11))
    text = source(2, 3, 9, 11) + pooling("kernel_size: 3 stride: 2 pad: 1")
    np.testing.assert_array_equal(run(build(text, TEST), x)[1], run(build(text, TRAIN), x)[1])


def test_stochastic_draws_in_proportion() -> None:
    net = build(source(1, 1, 100, 200) + pooling("pool: STOCHASTIC kernel_size: 2 stride: 2"))
    x = np.tile([[1.0, 2.0], [0.0, 5.0]], (50, 100))[None, None]
    y, dx = run(net, x)
    shares = [np.mean(y == v) for v in (0, 1, 2, 5)]
    np.testing.assert_allclose(shares, [0, 1 / 8, 2 / 8, 5 / 8], atol=0.03)
    assert np.count_nonzero(dx) == y.size
    test = build(source(1, 1, 100, 200) + pooling("pool: STOCHASTIC kernel_size: 2 stride: 2"), TEST)
    test.blobs["x"].data[...] = x
    test.forward()
    np.testing.assert_allclose(test.blobs["y"].data, 30 / 8, rtol=1e-6)
    with pytest.raises(UnsupportedError, match="TRAIN"):
        test.backward()


@pytest.mark.parametrize(
    ("param", "tops", "words"),
    [
        ("", "y", ["kernel_size", "missing"]),
        ("kernel_size: 0", "y", ["kernel_size", "at least 1"]),
        ("kernel_size: 2 stride: 0", "y", ["stride", "at least 1"]),
        ("kernel_size: 2 kernel_h: 2 kernel_w: 2", "y", ["not both"]),
        ("kernel_h: 2", "y", ["kernel_w", "missing"]),
        ("kernel_size: 2 pad: 2", "y", ["pad", "smaller than the kernel"]),
        ("kernel_size: 9", "y", ["9 x 9", "5 x 6", "global_pooling"]),
        ("pool: AVE kernel_size: 2", "y mask", ["MAX", "second top"]),
        ("pool: STOCHASTIC kernel_size: 2 pad: 1", "y", ["pad", "MAX and AVE"]),
        ("global_pooling: true kernel_size: 2", "y", ["global_pooling", "kernel_size"]),
        ("global_pooling: true stride: 2", "y", ["global_pooling", "stride 1"]),
        ("global_pooling: true pad: 1", "y", ["global_pooling", "pad"]),
    ],
)
def test_errors(param: str, tops: str, words: list[str]) -> None:
    with pytest.raises(LayerError) as caught:
        build(source(1, 2, 5, 6) + pooling(param, tops))
    for word in ["'Pooling'", *words]:
        assert word in str(caught.value), str(caught.value)


def test_needs_four_axes() -> None:
    with pytest.raises(LayerError, match=r"4 axes.*\(5, 6\)"):
        build(source(5, 6) + pooling("kernel_size: 2"))


def distinct(*shape: int) -> np.ndarray:
    """Values that differ by more than the step of a gradient check, so that no maximum changes."""
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) * 0.1


@pytest.mark.parametrize(
    "param",
    [
        "kernel_size: 3 stride: 2 pad: 1",
        "kernel_size: 2 stride: 1",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1",
        "pool: AVE kernel_h: 2 kernel_w: 4 stride: 3",
        "pool: AVE global_pooling: true",
        "global_pooling: true",
    ],
)
def test_gradients(param: str) -> None:
    check_gradient(source(2, 2, 7, 6) + pooling(param), inputs={"x": distinct(2, 2, 7, 6)})


@pytest.mark.parametrize(("pool", "height"), [("MAX", 1), ("MAX", 3), ("AVE", 2)])
def test_pyramid(pool: str, height: int) -> None:
    text = source(2, 3, 9, 7) + layer("SPP", f"spp_param {{ pyramid_height: {height} pool: {pool} }}")
    check_gradient(text, inputs={"x": distinct(2, 3, 9, 7)})
    net = build(text)
    assert net.blobs["y"].shape == ((2, 3, 1, 1) if height == 1 else (2, 3 * sum(4**i for i in range(height))))
    net.blobs["x"].reshape(1, 3, 16, 20)
    net.forward()
    assert net.blobs["y"].shape[0] == 1


def test_pyramid_too_high() -> None:
    with pytest.raises(LayerError, match=r"5 x 5 is too small for 4 x 4 bins"):
        build(source(1, 1, 5, 5) + layer("SPP", "spp_param { pyramid_height: 3 }"))


def test_upsample_undoes_pooling() -> None:
    text = source(2, 3, 7, 9) + pooling("kernel_size: 2 stride: 2", tops="p mask")
    net = build(text + layer("Upsample", "upsample_param { upsample_h: 7 upsample_w: 9 }", "p mask"))
    x = distinct(2, 3, 7, 9) + 1
    y, _ = run(net, x)
    kept = y != 0
    assert kept.sum() == net.blobs["p"].count
    np.testing.assert_allclose(y[kept], x[kept], rtol=1e-6)
    check_gradient(
        text + layer("Upsample", "upsample_param { upsample_h: 7 upsample_w: 9 }", "p mask"), inputs={"x": x}
    )


@pytest.mark.parametrize(
    ("param", "size"),
    [
        ("", (6, 8)),
        ("scale: 3", (9, 12)),
        ("scale_h: 2 scale_w: 4", (6, 16)),
        ("scale: 2 pad_out_h: true", (5, 8)),
        ("upsample_h: 7 upsample_w: 11", (7, 11)),
    ],
)
def test_upsample_sizes(param: str, size: tuple[int, int]) -> None:
    text = source(1, 2, 3, 4) + source(1, 2, 3, 4, name="mask")
    net = build(text + layer("Upsample", f"upsample_param {{ {param} }}", "x mask"))
    assert net.blobs["y"].shape == (1, 2, *size)


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("upsample_h: 7", ["upsample_h and upsample_w"]),
        ("scale: 1", ["scale", "at least 2"]),
        ("scale_h: 2", ["scale_h and scale_w"]),
        ("scale: 2 scale_h: 2 scale_w: 2", ["either scale"]),
        ("scale: 3 pad_out_w: true", ["pad_out_h", "upsample_h"]),
    ],
)
def test_upsample_errors(param: str, words: list[str]) -> None:
    text = source(1, 2, 3, 4) + source(1, 2, 3, 4, name="mask")
    with pytest.raises(LayerError) as caught:
        build(text + layer("Upsample", f"upsample_param {{ {param} }}", "x mask"))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("position", [48, -1, np.nan])
def test_positions_outside_are_named(backend: str, position: float) -> None:
    text = source(1, 2, 3, 4) + source(1, 2, 3, 4, name="mask") + layer("Upsample", "", "x mask")
    net = build(text, backend=backend)
    net.blobs["mask"].data[...] = 0
    net.blobs["mask"].data[0, 1, 2, 3] = position
    net.blobs["mask"].data[0, 1, 2, 2] = 47
    with pytest.raises(DataError, match=r"'Upsample'.*mask\[0, 1, 2, 3\] is .* 6 x 8.*upsample_h"):
        net.forward()


def test_mask_must_match() -> None:
    with pytest.raises(LayerError, match=r"\(1, 2, 3, 4\), the mask \(1, 2, 3, 5\)"):
        build(source(1, 2, 3, 4) + source(1, 2, 3, 5, name="mask") + layer("Upsample", "", "x mask"))


def unpooling(param: str, bottoms: str = "x") -> str:
    return layer("Unpooling", f"unpooling_param {{ {param} }}", bottoms)


def test_unpooling_with_mask() -> None:
    text = source(1, 2, 8, 8) + pooling("kernel_size: 2 stride: 2", tops="p mask")
    text += unpooling("kernel_size: 2 stride: 2 unpool_size: 8", "p mask")
    x = distinct(1, 2, 8, 8) + 1
    y, _ = run(build(text), x)
    np.testing.assert_allclose(y, np.where(y != 0, x, 0), rtol=1e-6)
    assert np.count_nonzero(y) == 32
    check_gradient(text, inputs={"x": x})


def test_unpooling_without_mask_fills_corners() -> None:
    net = build(source(1, 1, 2, 3) + unpooling("kernel_size: 2 stride: 2 unpool_h: 4 unpool_w: 5"))
    y, _ = run(net, np.arange(1, 7).reshape(1, 1, 2, 3))
    expected = np.zeros((4, 5))
    expected[::2, ::2] = [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(y[0, 0], expected)
    check_gradient(source(1, 1, 2, 3) + unpooling("kernel_size: 2 stride: 2"))


def test_unpooling_spreads_averages() -> None:
    net = build(source(1, 1, 1, 2) + unpooling("unpool: AVE kernel_size: 2 stride: 2 unpool_h: 2 unpool_w: 4"))
    y, _ = run(net, np.array([[[[4.0, 8.0]]]]))
    np.testing.assert_array_equal(y, [[[[1, 1, 2, 2], [1, 1, 2, 2]]]])
    check_gradient(source(2, 2, 3, 4) + unpooling("unpool: AVE kernel_size: 3 stride: 2 unpool_size: 9"))


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("stride: 2", ["kernel_size", "missing"]),
        ("kernel_size: 3 pad: 1", ["pad must be 0"]),
        ("kernel_size: 2 unpool_h: 3", ["unpool_w", "missing"]),
        ("kernel_size: 2 unpool: STOCHASTIC", ["MAX and AVE"]),
    ],
)
def test_unpooling_errors(param: str, words: list[str]) -> None:
    with pytest.raises((LayerError, UnsupportedError)) as caught:
        build(source(1, 2, 3, 4) + unpooling(param))
    for word in words:
        assert word in str(caught.value)


def test_geometry() -> None:
    net = build(source(1, 2, 9, 9) + pooling("kernel_size: 3 stride: 2 pad: 1"))
    assert net.layer_dict["Pooling"].geometry == pydeeplab.layer.Geometry((3, 3), (2, 2), (1, 1))
    assert build(source(1, 2, 9, 9) + pooling("global_pooling: true")).layer_dict["Pooling"].geometry is None


def _dilated(x: np.ndarray, kernel: int, rate: int, pad: int, method: str) -> np.ndarray:
    """Pooling of stride 1, by its definition."""
    n, taps = x.shape[2], range(0, kernel * rate, rate)
    width = n + 2 * pad - rate * (kernel - 1)
    y = np.empty((*x.shape[:2], width, width))
    for p in range(width):
        for q in range(width):
            rows, columns = ([o - pad + t for t in taps if 0 <= o - pad + t < n] for o in (p, q))
            seen = x[:, :, rows][:, :, :, columns]
            y[:, :, p, q] = seen.max(axis=(2, 3)) if method == "MAX" else seen.sum(axis=(2, 3)) / kernel**2
    return y


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_dilated_windows_see_every_other_pixel(method: str, phase: int) -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 9, 9)).astype(np.float32)
    net = build(source(2, 3, 9, 9) + pooling(f"pool: {method} kernel_size: 3 dilation: 2 pad: 2"), phase)
    y, _ = run(net, x)
    assert relative_error(y, _dilated(x, 3, 2, 2, method)) < 1e-6


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_gradient_of_dilated_windows(method: str) -> None:
    param = f"pool: {method} kernel_h: 3 kernel_w: 2 dilation: 2 dilation: 3 pad_h: 2 pad_w: 1 overhang: 2"
    check_gradient(source(2, 2, 7, 8) + pooling(param), inputs={"x": distinct(2, 2, 7, 8)})


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("size", range(8, 14))
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 2, 0), (3, 2, 1), (2, 2, 1), (3, 3, 1), (5, 3, 2)])
def test_overhang_makes_a_pooling_dense(method: str, size: int, window: tuple[int, int, int]) -> None:
    """A window of stride 1 with an overhang of stride - 1 has all windows of one with a stride, cut ones included."""
    kernel, stride, pad = window
    x = np.random.default_rng(3).standard_normal((1, 2, size, size)).astype(np.float32)
    text = f"pool: {method} kernel_size: {kernel} pad: {pad}"
    coarse, _ = run(build(source(1, 2, size, size) + pooling(f"{text} stride: {stride}")), x)
    dense, _ = run(build(source(1, 2, size, size) + pooling(f"{text} overhang: {stride - 1}")), x)
    assert dense[:, :, ::stride, ::stride].shape == coarse.shape
    np.testing.assert_allclose(dense[:, :, ::stride, ::stride], coarse, rtol=1e-6)


def test_dilation_is_given_once_or_twice() -> None:
    with pytest.raises(LayerError, match="dilation must be given once or as height and width, got 3 values"):
        build(source(1, 1, 9, 9) + pooling("kernel_size: 2 dilation: [1, 2, 3]"))
    with pytest.raises(LayerError, match="dilation must be at least 1"):
        build(source(1, 1, 9, 9) + pooling("kernel_size: 2 dilation: 0"))
