"""What is refused, how values are named, and the command."""

import json

import numpy as np
import pytest

from pydeeplab.cli import main
from pydeeplab.errors import UnsupportedError, UsageError
from pydeeplab.export import build_graph, export_onnx
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from tests.export.support import input_layer, layer, need_onnx, random_net

IMAGE = input_layer(1, 4, 9, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("Im2col", "convolution_param { kernel_size: 3 }"), r"layer 'l' \(Im2col\): cannot be exported"),
        (layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"), r"layer 'l' \(Pooling\).*MAX and AVE"),
        (layer("Pooling", "pooling_param { kernel_size: 1 stride: 4 }"), "wholly beyond the image"),
        (layer("Dropout", "dropout_param { sample_weights_test: true }"), "sample_weights_test"),
        (input_layer(1, 1, 9, 10, name="label") + layer("SoftmaxWithLoss", bottom="data label"), "use the deploy"),
        (layer("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 }"), "only unpooling with positions"),
        (layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 axis: 0 }"), "axis must be 1"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(text, message):
    with pytest.raises(UnsupportedError, match=message):
        build_graph(Net.from_text(IMAGE + text, TEST))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("Slice", "slice_param { axis: 2 slice_point: 4 }", top="a b"), "cuts an axis whose size varies"),
        (layer("ArgMax"), "counts along an axis whose size varies"),
        (layer("Pooling", "pooling_param { kernel_size: 1 stride: 2 }"), "without --dynamic"),
        (layer("Reshape", "reshape_param { shape { dim: 1 dim: 40 dim: 9 } }"), "one input size only"),
    ],
)
def test_what_needs_one_size_is_refused_for_several(text, message):
    with pytest.raises(UnsupportedError, match=message):
        build_graph(Net.from_text(IMAGE + text, TEST), dynamic=True)


def test_a_net_that_is_not_for_inference_is_refused():
    text = IMAGE + layer("ReLU")
    with pytest.raises(UsageError, match="phase TEST"):
        build_graph(Net.from_text(text, TRAIN))
    with pytest.raises(UsageError, match="opset must be at least 13"):
        build_graph(Net.from_text(text, TEST), opset=9)
    dummy = 'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 } } }'
    with pytest.raises(UsageError, match="no Input layer"):
        build_graph(Net.from_text(dummy, TEST))


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'pydeeplab\[onnx\]'"):
        export_onnx(random_net(IMAGE + layer("ReLU")), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_values_bear_the_names_of_blobs():
    text = IMAGE + layer("ReLU", top="y", name="r") + layer("Sigmoid", bottom="y", top="y", name="s")
    graph = build_graph(Net.from_text(text, TEST))
    assert [(o.type, o.inputs, o.outputs) for o in graph.operations] == [
        ("Relu", ["data"], ["r/Relu"]),
        ("Sigmoid", ["r/Relu"], ["y"]),
    ]


def test_outputs_that_are_the_same_value_are_copied():
    text = IMAGE + layer("ReLU", top="r", name="r") + layer("Split", bottom="r", top="a b", name="s")
    graph = build_graph(Net.from_text(text, TEST))
    assert [value.name for value in graph.outputs] == ["a", "b"]
    assert [(o.type, o.outputs) for o in graph.operations] == [("Relu", ["a"]), ("Identity", ["b"])]


def test_a_blob_named_like_a_parameter_is_not_mixed_up(tmp_path):
    text = IMAGE + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 }", top="l/0")
    graph = build_graph(random_net(text))
    assert set(graph.constants) == {"l/0_2", "l/1"}
    assert graph.outputs[0].name == "l/0"


def test_trying_another_size_leaves_the_net_as_it_was():
    net = random_net(IMAGE + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }"))
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal((1, 4, 9, 10))
    before = net.forward()["y"].copy()
    graph = build_graph(net, dynamic=True)
    assert graph.outputs[0].shape == ("batch", 2, "y_height", "y_width")
    np.testing.assert_array_equal(net.forward()["y"], before)


def _files(folder):
    text = IMAGE + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }")
    (folder / "net.prototxt").write_text(text)
    random_net(text).save(folder / "net.caffemodel")
    return [str(folder / "net.prototxt"), str(folder / "net.caffemodel"), "--onnx", str(folder / "net.onnx")]


def test_the_command_exports_and_checks(tmp_path, capsys):
    need_onnx()
    arguments = ["export", *_files(tmp_path), "--check", "--dynamic", "--input-size", "20x30"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "1 operations" in printed
    assert "inputs: data batchx4xheightxwidth" in printed
    assert "all within 0.0001" in printed
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["check"]["y"] < 1e-5
    assert result["outputs"] == {"y": ["batch", 2, "y_height", "y_width"]}
    assert main([*arguments, "--tolerance", "-1"]) == 1
    assert "DIFFER" in capsys.readouterr().out


def test_the_command_refuses_wrong_sizes(tmp_path, capsys):
    assert main(["export", *_files(tmp_path), "--input-size", "20x"]) == 2
    assert "--input-size wants HxW" in capsys.readouterr().err
