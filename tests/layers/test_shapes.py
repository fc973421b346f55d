"""Layers that move values: Concat, Slice, Split, Silence, Crop, Padding, Flatten, Reshape, Permute, Tile."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab import TRAIN, Net
from pydeeplab.errors import LayerError, ShapeError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)
FEW = settings(max_examples=40, deadline=None)


def coded(shape: tuple[int, ...], start: int = 0) -> np.ndarray:
    """Every element another number, so that a misplaced value shows."""
    return np.arange(start, start + math.prod(shape), dtype=np.float32).reshape(shape)


# Concat and Slice ----------------------------------------------------------------------------------------------------


@FEW
@given(SHAPES, st.data())
def test_concat_and_slice_are_numpys_and_inverse(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    where = axis % len(shape)
    parts = [(*shape[:where], n, *shape[where + 1 :]) for n in sizes]
    inputs = [coded(s, 1000 * i) for i, s in enumerate(parts)]
    whole = np.concatenate(inputs, axis=axis)

    joined = one_layer("Concat", parts, f"concat_param {{ axis: {axis} }}")
    dy = coded(whole.shape, 10_000)
    run(joined, inputs, {"y": dy})
    np.testing.assert_array_equal(joined.blobs["y"].data, whole)
    points = np.cumsum(sizes)[:-1]
    for i, part in enumerate(np.split(dy, points, axis=axis)):
        np.testing.assert_array_equal(joined.blobs[f"x{i}"].diff, part)

    tops = [f"y{i}" for i in range(len(sizes))]
    given_points = " ".join(f"slice_point: {p}" for p in points)
    cut = one_layer("Slice", [whole.shape], f"slice_param {{ axis: {axis} {given_points} }}", tops)
    run(cut, [whole], dict(zip(tops, inputs, strict=True)))
    for top, part in zip(tops, inputs, strict=True):
        np.testing.assert_array_equal(cut.blobs[top].data, part)
    np.testing.assert_array_equal(cut.blobs["x0"].diff, whole)


def test_slice_divides_evenly_and_old_axis_names_work() -> None:
    net = one_layer("Slice", [(2, 6)], "slice_param { slice_dim: 0 }", ["a", "b"])
    assert net.blobs["a"].shape == (1, 6)
    net = one_layer("Slice", [(2, 6)], "", ["a", "b", "c"])
    assert [net.blobs[n].shape for n in "abc"] == [(2, 2)] * 3
    assert one_layer("Concat", [(2, 6), (2, 6)], "concat_param { concat_dim: 0 }").blobs["y"].shape == (4, 6)


@pytest.mark.parametrize(("kind", "top"), [("Concat", "y"), ("Slice", "y")])
def test_a_single_part_shares_memory(kind: str, top: str) -> None:
    net = one_layer(kind, [(2, 3)])
    assert np.shares_memory(net.blobs["y"].data, net.blobs["x0"].data)
    assert np.shares_memory(net.blobs["y"].diff, net.blobs["x0"].diff)


@pytest.mark.parametrize(
    ("kind", "shapes", "params", "tops", "error", "message"),
    [
        (
            "Concat",
            [(2, 3), (3, 3)],
            "",
            ["y"],
            ShapeError,
            r"differ along axis 1 only; bottom 0 is \(2, 3\), bottom 1 is",
        ),
        ("Concat", [(2, 3)], "concat_param { axis: 2 }", ["y"], ShapeError, "axis 2 is out of range"),
        ("Concat", [(2, 3)], "concat_param { axis: 1 concat_dim: 1 }", ["y"], LayerError, "either axis or concat_dim"),
        ("Slice", [(2, 5)], "", ["a", "b"], ShapeError, "5 values do not divide evenly among 2 tops; give slice_point"),
        ("Slice", [(2, 5)], "slice_param { slice_point: 1 }", ["a"], LayerError, "1 tops need 0 slice points, got 1"),
        (
            "Slice",
            [(2, 5)],
            "slice_param { slice_point: 5 }",
            ["a", "b"],
            ShapeError,
            r"\[5\] must increase and lie within 1..4",
        ),
        (
            "Slice",
            [(2, 5)],
            "slice_param { slice_point: 3 slice_point: 2 }",
            ["a", "b", "c"],
            ShapeError,
            "must increase",
        ),
    ],
)
def test_joining_errors(
    kind: str, shapes: list[tuple[int, ...]], params: str, tops: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        one_layer(kind, shapes, params, tops)


# Split and Silence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readers", [2, 3, 4])
def test_split_shares_data_and_adds_gradients(readers: int) -> None:
    tops = [f"y{i}" for i in range(readers)]
    net = one_layer("Split", [(2, 3)], "", tops)
    diffs = {t: normal(2, 3, seed=i) for i, t in enumerate(tops)}
    run(net, [coded((2, 3))], diffs)
    assert all(np.shares_memory(net.blobs[t].data, net.blobs["x0"].data) for t in tops)
    np.testing.assert_allclose(net.blobs["x0"].diff, sum(diffs.values()), rtol=1e-6)


def test_split_takes_a_gradient_that_nobody_wrote_as_zero() -> None:
    net = one_layer("Split", [(2, 3)], "", ["a", "b", "c"])
    dy = normal(2, 3)
    run(net, [coded((2, 3))], {"b": dy})
    np.testing.assert_array_equal(net.blobs["x0"].diff, dy)


def test_silence_gives_no_gradient() -> None:
    net = one_layer("Silence", [(2, 3), (1,)], "", [])
    net.blobs["x0"].diff[...] = 5
    run(net, [coded((2, 3)), coded((1,))], {})
    assert not net.blobs["x0"].diff.any()
    assert net.outputs == []


# Crop and Padding ----------------------------------------------------------------------------------------------------


@FEW
@given(SHAPES, st.data())
def test_crop_is_a_window(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    wanted = tuple(data.draw(st.integers(1, n)) if i >= axis else 7 for i, n in enumerate(shape))
    offsets = [data.draw(st.integers(0, n - w)) for n, w in zip(shape[axis:], wanted[axis:], strict=True)]
    text = " ".join(f"offset: {o}" for o in offsets)
    net = one_layer("Crop", [shape, wanted], f"crop_param {{ axis: {axis - len(shape)} {text} }}")
    window = (slice(None),) * axis + tuple(slice(o, o + w) for o, w in zip(offsets, wanted[axis:], strict=True))
    x = coded(shape, 1)
    run(net, [x, coded(wanted)], {"y": x[window]})
    np.testing.assert_array_equal(net.blobs["y"].data, x[window])
    expected = np.zeros_like(x)
    expected[window] = x[window]
    np.testing.assert_array_equal(net.blobs["x0"].diff, expected)
    assert not net.blobs["x1"].diff.any()


@pytest.mark.parametrize(("offset", "row"), [("", 0), ("offset: 2", 2)])
def test_crop_offset_for_all_axes(offset: str, row: int) -> None:
    net = one_layer("Crop", [(1, 2, 9, 8), (1, 1, 4, 5)], f"crop_param {{ {offset} }}")
    run(net, [coded((1, 2, 9, 8)), coded((1, 1, 4, 5))])
    np.testing.assert_array_equal(net.blobs["y"].data, coded((1, 2, 9, 8))[:, :, row : row + 4, row : row + 5])


@pytest.mark.parametrize(
    ("shapes", "params", "error", "message"),
    [
        ([(1, 1, 5, 5), (1, 1, 4, 4)], "offset: 1 offset: 1 offset: 0", LayerError, "2 axes are cropped"),
        ([(1, 1, 5, 5), (1, 1, 4, 4)], "offset: 2", ShapeError, "window of 4 from offset 2 does not fit into axis 2"),
        ([(1, 1, 5, 5), (1, 1, 6, 5)], "", ShapeError, "window of 6 from offset 0"),
        ([(1, 1, 5, 5), (5, 5)], "", ShapeError, "equally many axes"),
        ([(1, 1, 5, 5), (1, 1, 4, 4)], "axis: 4", ShapeError, "axis 4 is out of range"),
    ],
)
def test_crop_errors(shapes: list[tuple[int, ...]], params: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_layer("Crop", shapes, f"crop_param {{ {params} }}")


@pytest.mark.parametrize(("begin", "end"), [(1, 2), (0, 3), (2, 0), (0, 0), (-1, -2), (0, -1), (-2, 0)])
def test_padding_adds_or_cuts_a_border(begin: int, end: int) -> None:
    net = one_layer("Padding", [(2, 3, 5, 6)], f"padding_param {{ pad_beg: {begin} pad_end: {end} }}")
    x = coded((2, 3, 5, 6), 1)
    wide = np.pad(x, [(0, 0), (0, 0), *[(max(begin, 0), max(end, 0))] * 2])
    cut = (slice(None), slice(None), *[slice(max(-begin, 0), min(end, 0) or None)] * 2)
    dy = coded(wide[cut].shape, 1)
    run(net, [x], {"y": dy})
    np.testing.assert_array_equal(net.blobs["y"].data, wide[cut])
    gradient = np.zeros_like(wide)
    gradient[cut] = dy
    inside = slice(max(begin, 0), wide.shape[2] - max(end, 0)), slice(max(begin, 0), wide.shape[3] - max(end, 0))
    np.testing.assert_array_equal(net.blobs["x0"].diff, gradient[:, :, inside[0], inside[1]])


@pytest.mark.parametrize(
    ("shape", "params", "error", "message"),
    [
        ((1, 1, 5, 5), "pad_beg: 1 pad_end: -1", LayerError, "must have one sign"),
        ((1, 1, 5, 5), "pad_beg: -3 pad_end: -2", ShapeError, "leaves nothing"),
        ((1, 5), "pad_beg: 1", ShapeError, "must be N x C x H x W"),
    ],
)
def test_padding_errors(shape: tuple[int, ...], params: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_layer("Padding", [shape], f"padding_param {{ {params} }}")


# Flatten and Reshape -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "shape"),
    [("", (2, 60)), ("axis: 0", (120,)), ("axis: 1 end_axis: 2", (2, 12, 5)), ("axis: -2 end_axis: -1", (2, 3, 20))],
)
def test_flatten_shares_memory(params: str, shape: tuple[int, ...]) -> None:
    net = one_layer("Flatten", [(2, 3, 4, 5)], f"flatten_param {{ {params} }}")
    assert net.blobs["y"].shape == shape
    assert np.shares_memory(net.blobs["y"].data, net.blobs["x0"].data)
    assert np.shares_memory(net.blobs["y"].diff, net.blobs["x0"].diff)


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ("shape { dim: 0 dim: -1 }", (2, 60)),
        ("shape { dim: 6 dim: 20 }", (6, 20)),
        ("shape { dim: 2 dim: 2 dim: 3 } axis: 1 num_axes: 2", (2, 2, 2, 3, 5)),
        ("shape { dim: 1 } axis: -1 num_axes: 0", (2, 3, 4, 5, 1)),
        ("shape { dim: -1 } axis: 1", (2, 60)),
        ("shape {} axis: 0 num_axes: 0", (2, 3, 4, 5)),
    ],
)
def test_reshape(params: str, shape: tuple[int, ...]) -> None:
    net = one_layer("Reshape", [(2, 3, 4, 5)], f"reshape_param {{ {params} }}")
    assert net.blobs["y"].shape == shape
    assert np.shares_memory(net.blobs["y"].data, net.blobs["x0"].data)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("Flatten", "axis: 4", "axis 4 is out of range"),
        ("Flatten", "axis: 2 end_axis: 1", "lies behind end_axis"),
        ("Reshape", "shape { dim: 7 dim: -1 }", "do not divide into"),
        ("Reshape", "shape { dim: 7 }", "120 and 7 elements"),
        ("Reshape", "shape { dim: -1 dim: -1 }", "one -1"),
        ("Reshape", "shape { dim: 0 } axis: 4", "no axis 4"),
        ("Reshape", "shape { dim: 1 } axis: 3 num_axes: 2", "are out of range"),
    ],
)
def test_view_errors(kind: str, params: str, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        one_layer(kind, [(2, 3, 4, 5)], f"{kind.lower()}_param {{ {params} }}")


def test_views_follow_a_new_input_size() -> None:
    text = net_text("Flatten", [(2, 3, 4)]) + 'layer { name: "R" type: "ReLU" bottom: "y" top: "z" }'
    net = Net.from_text(text, TRAIN)
    net.blobs["x0"].reshape(3, 5, 7)
    x = normal(3, 5, 7)
    run(net, [x], {"z": np.ones((3, 35))})
    np.testing.assert_array_equal(net.blobs["z"].data, np.maximum(x, 0).reshape(3, 35))
    np.testing.assert_array_equal(net.blobs["x0"].diff, (x > 0).astype(np.float32))


# Permute and Tile ----------------------------------------------------------------------------------------------------


@FEW
@given(SHAPES.filter(lambda s: len(s) <= 4), st.data())
def test_permute_is_numpys(shape: tuple[int, ...], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    given_axes = data.draw(st.integers(0, len(shape)))
    full = [*order[:given_axes], *(a for a in range(len(shape)) if a not in order[:given_axes])]
    text = " ".join(f"order: {o}" for o in order[:given_axes])
    net = one_layer("Permute", [shape], f"permute_param {{ {text} }}")
    x = coded(shape)
    run(net, [x], {"y": 3 * x.transpose(full)})
    np.testing.assert_array_equal(net.blobs["y"].data, x.transpose(full))
    np.testing.assert_array_equal(net.blobs["x0"].diff, 3 * x)


def test_permute_joins_axes_that_stay_together() -> None:
    x = coded((2, 3, 2, 4, 2, 3))
    net = one_layer("Permute", [x.shape], "permute_param { order: 0 order: 3 order: 4 order: 5 order: 1 order: 2 }")
    run(net, [x])
    np.testing.assert_array_equal(net.blobs["y"].data, x.transpose(0, 3, 4, 5, 1, 2))


@pytest.mark.parametrize(
    ("shape", "order", "message"),
    [
        ((2, 3), "order: 2", "must name axes 0..1"),
        ((2, 3), "order: 1 order: 1", "at most once"),
        ((1, 2, 3, 4, 5), "order: 4 order: 3 order: 2 order: 1 order: 0", "more than four groups"),
    ],
)
def test_permute_errors(shape: tuple[int, ...], order: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        one_layer("Permute", [shape], f"permute_param {{ {order} }}")


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_tile(axis: int) -> None:
    net = one_layer("Tile", [(2, 3, 4)], f"tile_param {{ axis: {axis} tiles: 3 }}")
    x = coded((2, 3, 4))
    run(net, [x])
    np.testing.assert_array_equal(net.blobs["y"].data, np.concatenate([x] * 3, axis=axis))
    check_gradient(net_text("Tile", [(2, 3, 4)], f"tile_param {{ axis: {axis} tiles: 3 }}"))


def test_tile_errors() -> None:
    with pytest.raises(LayerError, match="tiles must be positive, got 0"):
        one_layer("Tile", [(2, 3)])
    with pytest.raises(ShapeError, match="axis 2 is out of range"):
        one_layer("Tile", [(2, 3)], "tile_param { axis: 2 tiles: 2 }")
