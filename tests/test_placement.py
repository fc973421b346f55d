"""Crop layers without offsets are aligned with their reference; label maps are known as such."""

import numpy as np
import pytest

from pydeeplab import TEST, TRAIN, Net
from pydeeplab.analysis import without_data_layers
from pydeeplab.proto import read_net
from tests.support.external import shared

FCN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 37 dim: 45 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 pad: 10 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up"
  convolution_param { num_output: 2 kernel_size: 4 stride: 2 } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop" %s }
"""


def test_the_offsets_follow_from_the_geometry() -> None:
    net = Net.from_text(FCN % "")
    assert list(net.layer_dict["crop"].param.crop_param.offset) == [10, 10]
    assert net.blobs["crop"].shape == (1, 2, 37, 45)


def test_given_offsets_are_obeyed() -> None:
    net = Net.from_text(FCN % "crop_param { offset: 3 }")
    assert list(net.layer_dict["crop"].param.crop_param.offset) == [3]


def test_unrelated_inputs_are_cropped_at_zero() -> None:
    text = FCN.replace('bottom: "data" top: "crop"', 'bottom: "other" top: "crop"') % ""
    other = 'layer { name: "other" type: "Input" top: "other" input_param { shape { dim: 1 dim: 1 dim: 5 dim: 5 } } }'
    assert not Net.from_text(other + text).layer_dict["crop"].param.crop_param.offset


LABELS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 6 dim: 6 } } }
layer { name: "shrink" type: "Interp" bottom: "label" top: "small" interp_param { height: 3 width: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "small" top: "loss" }
layer { name: "accuracy" type: "SegAccuracy" bottom: "data" bottom: "small" top: "accuracy" }
%s
"""


@pytest.mark.parametrize(
    ("also", "expected"), [("", True), ('layer { name: "see" type: "Power" bottom: "small" top: "see" }', False)]
)
def test_only_maps_used_as_labels_alone_are_labels(also: str, expected: bool) -> None:
    net = Net.from_text(LABELS % also, TRAIN)
    assert net.layer_dict["shrink"].is_label is expected  # type: ignore[attr-defined]
    net.blobs["label"].data[...] = np.random.default_rng(0).integers(0, 2, (1, 1, 6, 6))
    net.forward(end="shrink")
    values = set(np.unique(net.blobs["small"].data))
    assert (values <= {0.0, 1.0}) is expected


@pytest.mark.parametrize("net_name", ["voc-fcn8s", "voc-fcn32s", "voc-fcn-alexnet", "siftflow-fcn8s"])
def test_the_offsets_that_published_nets_state_are_found(net_name: str) -> None:
    folder = shared("data/prototxt_corpus") / "shelhamer+fcn.berkeleyvision.org" / net_name
    path = next(
        p for p in (folder / "deploy.prototxt", folder / "train.prototxt", folder / "trainval.prototxt") if p.exists()
    )
    source = without_data_layers(read_net(path), image_size=(500, 500))
    stated = {}
    for layer in source.param.layer:
        if layer.type == "Crop":
            stated[layer.name] = list(layer.crop_param.offset)
            layer.ClearField("crop_param")
    net = Net.from_source(source, TEST)
    assert stated
    found = {name: list(net.layer_dict[name].param.crop_param.offset) for name in stated}
    assert found == {name: [offset[0], offset[-1]] for name, offset in stated.items()}


SOFT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 3 dim: 3 } } }
layer { name: "target" type: "Input" top: "target" input_param { shape { dim: 1 dim: 1 dim: 6 dim: 6 } } }
layer { name: "shrink" type: "Interp" bottom: "target" top: "small" interp_param { height: 3 width: 3 } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "data" bottom: "small" top: "loss" }
"""


def test_what_merely_gets_no_gradient_is_no_label() -> None:
    net = Net.from_text(SOFT, TRAIN)
    assert net.layer_dict["shrink"].is_label is False  # type: ignore[attr-defined]
    net.blobs["target"].data[...] = np.random.default_rng(0).integers(0, 2, (1, 1, 6, 6))
    net.forward(end="shrink")
    assert not set(np.unique(net.blobs["small"].data)) <= {0.0, 1.0}


def test_labels_stay_labels_through_two_resizings() -> None:
    second = 'layer { name: "again" type: "Interp" bottom: "small" top: "tiny" interp_param { height: 3 width: 3 } }\n'
    text = LABELS.replace('bottom: "small" top', 'bottom: "tiny" top') % ""
    text = text.replace("height: 3 width: 3", "height: 5 width: 5").replace(
        'layer { name: "loss"', second + 'layer { name: "loss"'
    )
    net = Net.from_text(text, TRAIN)
    assert net.layer_dict["shrink"].is_label  # type: ignore[attr-defined]
    assert net.layer_dict["again"].is_label  # type: ignore[attr-defined]
