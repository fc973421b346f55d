"""Receptive fields against gradients: which input pixels does an element really depend on?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab.analysis import receptive_fields
from pydeeplab.layer import TEST
from pydeeplab.net import Net

ONES = 'weight_filler { type: "constant" value: 1 }'


def _layer(kind: str, number: int, field: str) -> str:
    return f'layer {{ name: "l{number}" type: "{kind}" bottom: "b{number}" top: "b{number + 1}" {field} }}\n'


@st.composite
def _window(draw: Any) -> dict[str, int]:
    kernel = draw(st.integers(1, 5))
    dilation = draw(st.integers(1, 3))
    return {
        "kernel_size": kernel,
        "stride": draw(st.integers(1, 3)),
        "pad": draw(st.integers(0, (kernel - 1) * dilation)),
        "dilation": dilation,
    }


@st.composite
def _net(draw: Any) -> str:
    """A chain of layers without negative weights, so that no gradient cancels; b0 is the input."""
    text = "force_backward: true\n"
    text += 'layer { name: "in" type: "Input" top: "b0" input_param { shape { dim: [1, 1, 97, 97] } } }\n'
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["Convolution", "Pooling", "Deconvolution", "Interp", "ReLU"]))
        field = ""
        window = draw(_window())
        if kind == "Deconvolution":  # without gaps
            stride = window["stride"]
            window |= {
                "dilation": 1,
                "kernel_size": max(stride, window["kernel_size"]),
                "pad": min(window["pad"], stride - 1),
            }
        if kind in ("Convolution", "Deconvolution"):
            fields = " ".join(f"{k}: {v}" for k, v in window.items())
            field = f"convolution_param {{ num_output: 1 bias_term: false {fields} {ONES} }}"
        elif kind == "Pooling":
            kernel = window["kernel_size"]
            pad = min(window["pad"], kernel - 1)
            field = f"pooling_param {{ pool: AVE kernel_size: {kernel} stride: {window['stride']} pad: {pad} }}"
        elif kind == "Interp":
            field = f"interp_param {{ zoom_factor: {draw(st.integers(2, 3))} }}"
        text += _layer(kind, number, field)
    return text


def _reach(net: Net, y: int, x: int) -> tuple[slice, slice] | None:
    """The rows and columns of the input that element (y, x) of the output depends on."""
    output = net.blobs[net.outputs[0]]
    output.diff[...] = 0
    output.diff[0, 0, y, x] = 1
    net.backward()
    hit = net.blobs["b0"].diff[0, 0] != 0
    rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@settings(max_examples=60, deadline=None)
@given(_net())
def test_fields_are_as_large_as_gradients_reach(text: str) -> None:
    try:
        net = Net.from_text(text, TEST)
    except RuntimeError:  # a window larger than what is left
        return
    net.blobs["b0"].data[...] = 1
    net.forward()
    field = receptive_fields(net)[-1]
    assert field is not None
    height, width = net.blobs[net.outputs[0]].shape[2:]
    for y in range(height // 3, min(height, height // 3 + 8)):
        first, last = field.height.first[y], field.height.last[y]
        reach = _reach(net, y, width // 2) if first >= 16 and last <= 80 else None  # away from paddings
        if reach is not None:
            assert (reach[0].start, reach[0].stop - 1) == (first, last)


def _fields(text: str, size: int = 33) -> dict[str, Any]:
    start = (
        f'layer {{ name: "in" type: "Input" top: "b0" input_param {{ shape {{ dim: [1, 2, {size}, {size}] }} }} }}\n'
    )
    net = Net.from_text(start + text, TEST)
    return {node.name: field for node, field in zip(net.nodes, receptive_fields(net), strict=True)}


def test_sizes_are_exact_for_windows() -> None:
    text = _layer("Convolution", 0, "convolution_param { num_output: 1 kernel_size: 7 stride: 2 pad: 3 }")
    text += _layer("Pooling", 1, "pooling_param { kernel_size: 3 stride: 2 pad: 1 }")
    text += _layer("Convolution", 2, "convolution_param { num_output: 1 kernel_size: 3 dilation: 4 pad: 4 }")
    text += _layer("Interp", 3, "interp_param { zoom_factor: 4 }")
    fields = _fields(text)
    assert [fields[f"l{i}"].size for i in range(4)] == [(7, 7), (11, 11), (43, 43), (47, 47)]
    assert [fields[f"l{i}"].step for i in range(4)] == [(2, 2), (4, 4), (4, 4), (1, 1)]


def test_windows_may_differ_between_axes() -> None:
    fields = _fields(
        _layer("Convolution", 0, "convolution_param { num_output: 1 kernel_h: 1 kernel_w: 5 stride_h: 2 stride_w: 1 }")
    )
    assert fields["l0"].size == (1, 5)
    assert fields["l0"].step == (2, 1)


def test_shrinking_by_a_whole_factor_picks_pixels() -> None:
    fields = _fields(_layer("Interp", 0, "interp_param { shrink_factor: 8 }"))
    assert fields["l0"].size == (1, 1)
    assert fields["l0"].step == (8, 8)


def test_sums_see_what_either_sees() -> None:
    text = _layer("Convolution", 0, "convolution_param { num_output: 2 kernel_size: 3 pad: 1 }")
    text += 'layer { name: "sum" type: "Eltwise" bottom: "b0" bottom: "b1" top: "s" }'
    text += 'layer { name: "cat" type: "Concat" bottom: "b0" bottom: "s" top: "c" }'
    fields = _fields(text)
    assert fields["sum"].size == fields["cat"].size == (3, 3)


@pytest.mark.parametrize(
    "text",
    [
        'type: "InnerProduct" inner_product_param { num_output: 3 }',
        'type: "Pooling" pooling_param { global_pooling: true pool: AVE }',
        'type: "Flatten"',
        'type: "Reshape" reshape_param { shape { dim: [0, 1, -1, 2] } }',
    ],
)
def test_whole_images_and_what_is_no_image_have_none(text: str) -> None:
    assert _fields(f'layer {{ name: "x" bottom: "b0" top: "t" {text} }}')["x"] is None


def test_cropping_and_padding_shift() -> None:
    text = _layer("Padding", 0, "padding_param { pad_beg: -7 pad_end: -1 }")
    field = _fields(text)["l0"]
    assert field.size == (1, 1)
    assert [field.height.first[i] for i in range(3)] == [7, 8, 9]
