"""Parameters, multiply-adds and memory of small nets whose figures can be worked out by hand."""

from __future__ import annotations

from pydeeplab.analysis import NetSummary, summarise
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 10] } } }\n'
CONV = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 1 }"


def _summary(text: str, phase: int = TEST) -> NetSummary:
    return summarise(Net.from_text(INPUT + text, phase))


def test_convolution() -> None:
    summary = _summary(f'layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" {CONV} }}')
    layer = summary.layers[1]
    assert layer.parameters.weights == 4 * 3 * 9 + 4
    assert layer.multiply_adds == 2 * 8 * 10 * 4 * 3 * 9
    assert layer.activation_bytes == 4 * 2 * 4 * 8 * 10
    assert layer.shapes == [(2, 4, 8, 10)]
    assert not layer.in_place
    assert summary.weight_bytes == 4 * (4 * 27 + 4)


def test_shared_parameters_count_once() -> None:
    shared = f'type: "Convolution" bottom: "data" param {{ name: "w" }} param {{ name: "b" }} {CONV}'
    text = "".join(f'layer {{ name: "c{i}" top: "c{i}" {shared} }}\n' for i in range(3))
    summary = _summary(text)
    counts = {layer.name: layer.parameters.total for layer in summary.layers if layer.type == "Convolution"}
    assert counts == {"c0": 112, "c1": 0, "c2": 0}
    assert summary.parameters.total == 112


def test_kinds_of_parameters() -> None:
    text = (
        f'layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" param {{ lr_mult: 0 }} {CONV} }}\n'
        'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }\n'
        'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }'
    )
    parameters = _summary(text, TRAIN).parameters
    assert (parameters.learned, parameters.frozen, parameters.statistics) == (4 + 8, 108, 9)
    assert parameters.weights == 120
    assert parameters.total == 129


def test_memory_in_place_and_peak() -> None:
    chain = (
        'layer { name: "r" type: "ReLU" bottom: "data" top: "data" }\n'
        'layer { name: "a" type: "Pooling" bottom: "data" top: "a" pooling_param { kernel_size: 1 } }\n'
        'layer { name: "b" type: "Pooling" bottom: "a" top: "b" pooling_param { kernel_size: 1 } }\n'
        'layer { name: "c" type: "Pooling" bottom: "b" top: "c" pooling_param { kernel_size: 2 stride: 2 } }\n'
    )
    summary = _summary(chain)
    size = 4 * 2 * 3 * 8 * 10
    assert [layer.activation_bytes for layer in summary.layers] == [size, 0, size, size, size // 4]
    assert [layer.in_place for layer in summary.layers] == [False, True, False, False, False]
    assert summary.activation_bytes == 3 * size + size // 4
    # The input lives on, beside it a and b at layer b; at layer c, b and c.
    assert summary.peak_bytes == 3 * size
    assert summary.peak_layer == "b"


def test_split_blobs_count_once_and_live_until_their_last_reader() -> None:
    text = (
        'layer { name: "a" type: "Pooling" bottom: "data" top: "a" pooling_param { kernel_size: 1 } }\n'
        'layer { name: "b" type: "Pooling" bottom: "a" top: "b" pooling_param { kernel_size: 1 } }\n'
        'layer { name: "c" type: "Pooling" bottom: "b" top: "c" pooling_param { kernel_size: 1 } }\n'
        'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "c" top: "s" }\n'
    )
    summary = _summary(text)
    size = 4 * 2 * 3 * 8 * 10
    assert next(layer for layer in summary.layers if layer.type == "Split").activation_bytes == 0
    assert summary.activation_bytes == 5 * size
    assert summary.peak_bytes == 4 * size
    assert summary.peak_layer == "c"


def test_training_needs_gradients_and_momentum() -> None:
    summary = _summary(f'layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" {CONV} }}', TRAIN)
    assert summary.training_bytes == 2 * summary.activation_bytes + 3 * summary.weight_bytes
