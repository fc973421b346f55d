"""``caffe.Net`` as scripts use it: ranges of layers, names, views, saving, levels and stages."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TRAINING = """name: 'trainable' force_backward: true
layer { type: 'DummyData' name: 'source' top: 'pixels' top: 'truth'
  dummy_data_param { num: 5 channels: 2 height: 3 width: 4
                     num: 5 channels: 1 height: 1 width: 1
                     data_filler { type: 'gaussian' std: 1 }
                     data_filler { type: 'constant' } } }
layer { type: 'Convolution' name: 'filters' bottom: 'pixels' top: 'maps'
  convolution_param { num_output: 11 kernel_size: 2 pad: 3
    weight_filler { type: 'gaussian' std: 1 } bias_filler { type: 'constant' value: 2 } }
  param { decay_mult: 1 } param { decay_mult: 0 } }
layer { type: 'InnerProduct' name: 'dense' bottom: 'maps' top: 'scores'
  inner_product_param { num_output: %d weight_filler { type: 'gaussian' std: 2.5 }
                        bias_filler { type: 'constant' value: -3 } } }
layer { type: 'SoftmaxWithLoss' name: 'cost' bottom: 'scores' bottom: 'truth' top: 'cost' }
"""
CLASSES = 13


@pytest.fixture
def net_file(tmp_path: Path) -> str:
    path = tmp_path / "net.prototxt"
    path.write_text(TRAINING % CLASSES)
    return str(path)


@pytest.fixture
def net(caffe: Any, net_file: str) -> Any:
    made = caffe.Net(net_file, caffe.TRAIN)
    made.blobs["truth"].data[...] = np.random.default_rng(0).integers(CLASSES, size=made.blobs["truth"].data.shape)
    return made


def test_views_outlive_the_net(caffe: Any, net_file: str) -> None:
    net = caffe.Net(net_file, caffe.TRAIN)
    net.forward()
    params = [blob.data for blobs in net.params.values() for blob in blobs]
    blobs = [half for blob in net.blobs.values() for half in (blob.data, blob.diff)]
    blob = net.blobs["scores"]
    before = [array.copy() for array in params + blobs]
    del net
    gc.collect()
    for array, kept in zip(params + blobs, before, strict=True):
        np.testing.assert_array_equal(array, kept)
        array += 1
    np.testing.assert_array_equal(blob.data, blobs[6])


def test_layers_by_name(net: Any) -> None:
    assert list(net.layer_dict) == list(net._layer_names) == ["source", "filters", "dense", "cost"]
    for name, layer in zip(net._layer_names, net.layers, strict=True):
        assert net.layer_dict[name] is layer
    assert [layer.type for layer in net.layers] == ["DummyData", "Convolution", "InnerProduct", "SoftmaxWithLoss"]
    assert [len(layer.blobs) for layer in net.layers] == [0, 2, 2, 0]


def test_forward_and_backward(net: Any) -> None:
    outputs = net.forward()
    assert list(outputs) == ["cost"]
    assert outputs["cost"].shape == ()
    assert outputs["cost"][()] == pytest.approx(net._forward(3, 3))
    net.backward()
    assert net.blobs["pixels"].diff.any()


def test_forward_of_one_layer(net: Any) -> None:
    random = np.random.default_rng(1)
    net.blobs["maps"].data[...] = random.uniform(size=net.blobs["maps"].data.shape)
    result = net.forward(start="dense", end="dense")
    assert list(result) == ["scores"]
    weights, bias = (blob.data for blob in net.params["dense"])
    expected = net.blobs["maps"].data.reshape(5, -1) @ weights.T + bias
    np.testing.assert_allclose(result["scores"], expected, rtol=1e-4, atol=1e-3)


def test_backward_of_one_layer(net: Any) -> None:
    random = np.random.default_rng(2)
    net.forward()
    net.blobs["scores"].diff[...] = random.uniform(size=net.blobs["scores"].diff.shape)
    net.blobs["pixels"].diff[...] = 7
    result = net.backward(start="dense", end="dense")
    assert list(result) == ["maps"]
    expected = net.blobs["scores"].diff @ net.params["dense"][0].data
    np.testing.assert_allclose(result["maps"].reshape(5, -1), expected, rtol=1e-4, atol=1e-3)
    assert (net.blobs["pixels"].diff == 7).all()


def test_clearing_gradients(net: Any) -> None:
    net.forward()
    net.backward()
    assert net.params["filters"][0].diff.any()
    net.clear_param_diffs()
    assert not any(blob.diff.any() for blobs in net.params.values() for blob in blobs)


def test_names(net: Any) -> None:
    assert net.inputs == []
    assert net.outputs == ["cost"]
    assert dict(net.top_names) == {
        "source": ["pixels", "truth"],
        "filters": ["maps"],
        "dense": ["scores"],
        "cost": ["cost"],
    }
    assert dict(net.bottom_names) == {
        "source": [],
        "filters": ["pixels"],
        "dense": ["maps"],
        "cost": ["scores", "truth"],
    }
    assert list(net.top_names) == list(net._layer_names)
    assert dict(net.blob_loss_weights) == {"pixels": 0, "truth": 0, "maps": 0, "scores": 0, "cost": 1}
    assert list(net._blob_loss_weights) == [0, 0, 0, 0, 1]
    assert net.blobs is net.blobs
    assert net.params is net.params


@pytest.mark.parametrize("form", ["copy_from", "weights", "legacy"])
def test_saved_weights_come_back(caffe: Any, net: Any, net_file: str, tmp_path: Path, form: str) -> None:
    saved = str(tmp_path / "saved.caffemodel")
    net.save(saved)
    if form == "copy_from":
        other = caffe.Net(net_file, caffe.TEST)
        other.copy_from(saved)
    elif form == "weights":
        other = caffe.Net(net_file, caffe.TEST, weights=saved)
    else:
        with pytest.deprecated_call():
            other = caffe.Net(net_file, saved, caffe.TEST)
    same_weights(net, other)


def test_hdf5_comes_back(caffe: Any, net: Any, net_file: str, tmp_path: Path) -> None:
    saved = str(tmp_path / "saved.caffemodel.h5")
    net.save_hdf5(saved)
    for method in ("load_hdf5", "copy_from"):
        other = caffe.Net(net_file, caffe.TEST)
        getattr(other, method)(saved)
        same_weights(net, other)


def same_weights(one: Any, two: Any) -> None:
    assert list(one.params) == list(two.params) == ["filters", "dense"]
    for name, blobs in one.params.items():
        assert len(blobs) == len(two.params[name])
        for mine, theirs in zip(blobs, two.params[name], strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)


def test_sharing_weights(caffe: Any, net: Any, net_file: str) -> None:
    other = caffe.Net(net_file, caffe.TEST)
    other.share_with(net)
    net.params["dense"][0].data[...] = 5
    assert (other.params["dense"][0].data == 5).all()


def test_blobs(net: Any) -> None:
    blob = net.blobs["pixels"]
    assert list(blob.shape) == [5, 2, 3, 4]
    assert tuple(blob.shape) == (5, 2, 3, 4)
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (5, 2, 3, 4, 120)
    assert blob.data.dtype == blob.diff.dtype == np.float32
    blob.data[...] = 3
    assert (net.blobs["pixels"].data == 3).all()
    blob.reshape(1, 2, 3, 3)
    assert blob.data.shape == blob.diff.shape == (1, 2, 3, 3)
    with pytest.raises(RuntimeError):
        blob.reshape(num=1)


def test_what_forward_returns_is_overwritten_by_the_next(caffe: Any, tmp_path: Path) -> None:
    path = tmp_path / "double.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 2 dim: 3 }\n'
        'layer { name: "double" type: "Power" bottom: "x" top: "b" power_param { scale: 2 } }\n'
        'layer { name: "triple" type: "Power" bottom: "x" top: "a" power_param { scale: 3 } }\n'
    )
    net = caffe.Net(str(path), caffe.TEST)
    assert net.outputs == ["a", "b"]
    assert list(net.blobs) == ["x", "x_input_0_split_0", "x_input_0_split_1", "b", "a"]
    first = net.forward(x=np.ones((2, 3)))
    assert (first["a"] == 3).all()
    net.forward(x=np.full((2, 3), 10))
    assert (first["a"] == 30).all()
    assert (first["b"] == 20).all()
    with pytest.raises(Exception, match="Input blob arguments do not match net inputs"):
        net.forward(y=np.ones((2, 3)))
    with pytest.raises(Exception, match="Input is not batch sized"):
        net.forward(x=np.ones((3, 3)))
    with pytest.raises(Exception, match="Top diff arguments do not match net outputs"):
        net.backward(a=np.ones((2, 3)))


def test_ids_and_private_names(net: Any) -> None:
    assert [net._blob_names[i] for i in net._top_ids(0)] == ["pixels", "truth"]
    assert [net._blob_names[i] for i in net._bottom_ids(3)] == ["scores", "truth"]
    assert [net._blobs[i] is net.blobs["cost"] for i in net._outputs] == [True]
    assert list(net._inputs) == []


def test_callbacks(net: Any) -> None:
    calls: list[tuple[str, int]] = []
    for when in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, when)(lambda index, when=when: calls.append((when, index)))
    net._forward(1, 2)
    net._backward(2, 2)
    names = ["before_forward", "after_forward", "before_forward", "after_forward", "before_backward", "after_backward"]
    assert calls == list(zip(names, [1, 1, 2, 2, 2, 2], strict=True))


def test_a_file_that_is_not_there(caffe: Any) -> None:
    with pytest.raises(RuntimeError, match=r"not_there\.prototxt"):
        caffe.Net("not_there.prototxt", caffe.TEST)


def test_input_arrays(caffe: Any, tmp_path: Path) -> None:
    path = tmp_path / "memory.prototxt"
    path.write_text(
        'layer { name: "m" type: "MemoryData" top: "data" top: "label" '
        "memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }"
    )
    net = caffe.Net(str(path), caffe.TEST)
    data = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    net.set_input_arrays(data, np.arange(4, dtype=np.float32))
    np.testing.assert_array_equal(net.forward()["data"], data[:2])
    second = net.forward()
    np.testing.assert_array_equal(second["data"], data[2:])
    np.testing.assert_array_equal(second["label"].ravel(), [2, 3])
    with pytest.raises(RuntimeError, match="multiple of batch size"):
        net.set_input_arrays(data[:3], np.zeros(3, np.float32))


LEVELS = """
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "always" type: "Sigmoid" bottom: "in" top: "always" }
layer { name: "only0" type: "Sigmoid" bottom: "in" top: "only0" include { min_level: 0 max_level: 0 } }
layer { name: "only1" type: "Sigmoid" bottom: "in" top: "only1" include { min_level: 1 max_level: 1 } }
layer { name: "from0" type: "Sigmoid" bottom: "in" top: "from0" include { min_level: 0 } }
layer { name: "from1" type: "Sigmoid" bottom: "in" top: "from1" include { min_level: 1 } }
"""
STAGES = """
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "always" type: "Sigmoid" bottom: "in" top: "always" }
layer { name: "a" type: "Sigmoid" bottom: "in" top: "a" include { stage: "A" } }
layer { name: "b" type: "Sigmoid" bottom: "in" top: "b" include { stage: "B" } }
layer { name: "a_or_b" type: "Sigmoid" bottom: "in" top: "a_or_b" include { stage: "A" } include { stage: "B" } }
layer { name: "a_and_b" type: "Sigmoid" bottom: "in" top: "a_and_b" include { stage: "A" stage: "B" } }
layer { name: "a_not_b" type: "Sigmoid" bottom: "in" top: "a_not_b" include { stage: "A" not_stage: "B" } }
"""
ALL_IN_ONE = """
layer { name: "samples" type: "DummyData" top: "x" top: "y" include { phase: TRAIN }
  dummy_data_param { shape { dim: 8 dim: 4 } shape { dim: 8 } } }
layer { name: "samples" type: "DummyData" top: "x" top: "y" include { phase: TEST stage: "val" }
  dummy_data_param { shape { dim: 2 dim: 4 } shape { dim: 2 } } }
layer { name: "samples" type: "Input" top: "x" include { phase: TEST stage: "deploy" }
  input_param { shape { dim: 1 dim: 4 } } }
layer { name: "dense" type: "InnerProduct" bottom: "x" top: "scores" inner_product_param { num_output: 2 } }
layer { name: "cost" type: "SoftmaxWithLoss" bottom: "scores" bottom: "y" top: "cost"
  include { phase: TRAIN } include { phase: TEST stage: "val" } }
layer { name: "guess" type: "Softmax" bottom: "scores" top: "guess" include { stage: "deploy" } }
"""


def layers_of(caffe: Any, folder: Path, text: str, *args: Any, **state: Any) -> list[str]:
    path = folder / "rules.prototxt"
    path.write_text(text)
    return [n for n in caffe.Net(str(path), *args, **state)._layer_names if "split" not in n]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, ["only0", "from0"]),
        ({"level": 0}, ["only0", "from0"]),
        ({"level": 1}, ["only1", "from0", "from1"]),
    ],
)
def test_levels(caffe: Any, tmp_path: Path, state: dict[str, Any], expected: list[str]) -> None:
    assert layers_of(caffe, tmp_path, LEVELS, caffe.TEST, **state) == ["in", "always", *expected]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (None, []),
        ([], []),
        (["A"], ["a", "a_or_b", "a_not_b"]),
        (["B"], ["b", "a_or_b"]),
        (["A", "B"], ["a", "b", "a_or_b", "a_and_b"]),
    ],
)
def test_stages(caffe: Any, tmp_path: Path, stages: list[str] | None, expected: list[str]) -> None:
    assert layers_of(caffe, tmp_path, STAGES, caffe.TEST, stages=stages) == ["in", "always", *expected]


def test_one_file_for_training_validation_and_use(caffe: Any, tmp_path: Path) -> None:
    training = layers_of(caffe, tmp_path, ALL_IN_ONE, caffe.TRAIN)
    assert training == ["samples", "dense", "cost"]
    assert layers_of(caffe, tmp_path, ALL_IN_ONE, caffe.TEST, stages=["val"]) == training
    net = caffe.Net(str(tmp_path / "rules.prototxt"), caffe.TEST, stages=["deploy"])
    assert list(net._layer_names) == ["samples", "dense", "guess"]
    assert net.inputs == ["x"]
    assert net.forward()["guess"].sum() == pytest.approx(1)
