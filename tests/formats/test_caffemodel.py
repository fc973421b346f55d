"""Binary weights: every age of file in, the current one out."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab.errors import WeightsError
from pydeeplab.formats import blobproto, read_caffemodel, read_weights, save_weights, write_caffemodel
from pydeeplab.formats.caffemodel import parse_caffemodel
from pydeeplab.proto import caffe_pb2

from .support import same_bits, weight_files

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def blob(values, **shape):
    return caffe_pb2.BlobProto(data=np.ravel(values), **shape)


def dims(*shape):
    return caffe_pb2.BlobShape(dim=shape)


def parsed(net):
    return parse_caffemodel(memoryview(net.SerializeToString()), "x.caffemodel")


@QUICK
@given(weight_files())
def test_round_trip_keeps_every_bit(tmp_path, drawn):
    path = tmp_path / "x.caffemodel"
    save_weights(path, drawn)
    back = read_weights(path)
    assert [layer.name for layer in back.layers] == [layer.name for layer in drawn.layers]
    assert back.net_name == "drawn"
    for mine, theirs in zip(back.layers, drawn.layers, strict=True):
        assert mine.type == "Test"
        for a, b in zip(mine.blobs, theirs.blobs, strict=True):
            # an empty list of doubles cannot be told from one of floats
            assert same_bits(a.data, b.data) or a.data.size == 0 == b.data.size


def test_protobuf_reads_what_is_written(tmp_path):
    net = caffe_pb2.NetParameter(name="n", force_backward=True)
    net.layer.add(name="conv", type="Convolution", bottom=["data"], top=["conv"], phase=caffe_pb2.TEST)
    net.layer[0].convolution_param.num_output = 2
    net.layer[0].param.add(name="shared", lr_mult=0)
    net.layer.add(name="conv_conv_0_split", type="Split", bottom=["conv"], top=["a", "b"])
    net.layer[0].blobs.add(data=[7])  # stale: must not survive
    w = np.array([[np.nan, -0.0], [np.inf, 1e-45]], np.float32)
    d = np.arange(2, dtype=np.float64)
    write_caffemodel(tmp_path / "n.caffemodel", net, [[w, d], []], [[-w, d + 1], []])
    back = caffe_pb2.NetParameter.FromString((tmp_path / "n.caffemodel").read_bytes())
    conv, split = back.layer
    assert np.array(conv.blobs[0].data, np.float32).tobytes() == w.tobytes()
    assert list(conv.blobs[0].shape.dim) == [2, 2]
    np.testing.assert_array_equal(conv.blobs[0].diff, -w.ravel())
    assert list(conv.blobs[1].double_data) == [0, 1]
    assert list(conv.blobs[1].double_diff) == [1, 2]
    assert len(conv.blobs) == 2
    assert (split.name, split.type, list(split.top)) == ("conv_conv_0_split", "Split", ["a", "b"])
    for message in (back, net):
        for layer in message.layer:
            layer.ClearField("blobs")
    assert back == net


def test_blobs_by_name(tmp_path):
    net = caffe_pb2.NetParameter()
    for name in "abc":
        net.layer.add(name=name)
    write_caffemodel(tmp_path / "x.caffemodel", net, {"b": [np.ones(3)]})
    assert [len(layer.blobs) for layer in read_caffemodel(tmp_path / "x.caffemodel").layers] == [0, 1, 0]
    with pytest.raises(WeightsError, match="no layer is called 'd'"):
        write_caffemodel(tmp_path / "y.caffemodel", net, {"d": []})
    with pytest.raises(WeightsError, match="3 layers but blobs for 1"):
        write_caffemodel(tmp_path / "y.caffemodel", net, [[]])
    assert not (tmp_path / "y.caffemodel").exists()


def test_v1_layers_with_legacy_shapes():
    net = caffe_pb2.NetParameter(name="old")
    conv = net.layers.add(name="conv1", type=caffe_pb2.V1LayerParameter.CONVOLUTION)
    conv.blobs.add().CopyFrom(blob(np.arange(6), num=2, channels=3, height=1, width=1))
    conv.blobs.add().CopyFrom(blob([1, 2], num=1, channels=1, height=1, width=2))
    fc = net.layers.add(name="ip", type=caffe_pb2.V1LayerParameter.INNER_PRODUCT)
    fc.blobs.add().CopyFrom(blob([5, 6, 7], num=1, channels=1, height=1, width=3))
    fc.blobs.add().CopyFrom(blob([9], num=1, channels=1, height=1, width=1))
    net.layers.add(name="up", type=caffe_pb2.V1LayerParameter.DECONVOLUTION)
    read = parsed(net)
    assert [(layer.name, layer.type) for layer in read.layers] == [
        ("conv1", "Convolution"),
        ("ip", "InnerProduct"),
        ("up", "Deconvolution"),
    ]
    assert all(b.legacy for layer in read.layers for b in layer.blobs)
    assert {k: a.shape for k, a in read.arrays().items()} == {
        "conv1/0": (2, 3, 1, 1),
        "conv1/1": (2,),
        "ip/0": (1, 3),
        "ip/1": (1,),
    }
    np.testing.assert_array_equal(read.arrays()["ip/0"], [[5, 6, 7]])


def test_v0_layers():
    net = caffe_pb2.NetParameter()
    inner = net.layers.add().layer
    inner.name, inner.type = "fc8", "innerproduct"
    inner.blobs.add().CopyFrom(blob([1, 2, 3, 4], num=1, channels=1, height=2, width=2))
    layer = parsed(net).layers[0]
    assert (layer.name, layer.type, layer.blobs[0].shape) == ("fc8", "InnerProduct", (1, 1, 2, 2))


def test_unknown_types_and_fields_are_stepped_over():
    net = caffe_pb2.NetParameter()
    net.layer.add(name="a", type="FromTheFuture").blobs.add(data=[4])
    raw = net.SerializeToString()
    layer = net.layer[0].SerializeToString() + b"\xc2\x3e\x03\xff\xff\xff"  # field 1000, bytes that are no message
    raw = b"\xa2\x06" + bytes([len(layer)]) + layer + b"\xf8\x3e\x01"  # and field 1007 in the net
    read = parse_caffemodel(memoryview(raw), "x")
    assert read.layers[0].type == "FromTheFuture"
    assert read.layers[0].blobs[0].shape == ()
    assert read.layers[0].blobs[0].data == 4
    v1 = parse_caffemodel(memoryview(b"\x12\x06\x22\x01a\x28\xe7\x07"), "x")  # type 999
    assert (v1.layers[0].name, v1.layers[0].type) == ("a", "")


def test_every_truncation_is_noticed():
    net = caffe_pb2.NetParameter(name="n")
    for name in ("first", "second"):
        net.layer.add(name=name, type="Scale").blobs.add(data=[1, 2], shape=dims(2))
    whole = net.SerializeToString()
    first = caffe_pb2.NetParameter(name="n", layer=net.layer[:1]).ByteSize()
    messages = []
    for cut in range(1, len(whole)):
        if cut == first:  # a file may well end after a layer
            assert len(parse_caffemodel(memoryview(whole[:cut]), "x").layers) == 1
            continue
        with pytest.raises(WeightsError, match=r"^x\.caffemodel (is damaged|holds no layers)") as caught:
            parse_caffemodel(memoryview(whole[:cut]), "x.caffemodel")
        messages.append(str(caught.value))
    assert "after layer 'first'" in messages[-1]
    assert "bytes, " in messages[-1]
    assert "download" in messages[-1]


def test_wrong_counts_name_layer_and_blob():
    net = caffe_pb2.NetParameter()
    net.layer.add(name="ok").blobs.add(data=[1], shape=dims(1))
    net.layer.add(name="bad").blobs.add(data=[1] * 9, shape=dims(2, 5))
    with pytest.raises(WeightsError, match=r"layer 'bad', blob 0: a blob of shape 2x5 has 9 values"):
        parsed(net)


@QUICK
@given(st.binary(min_size=1, max_size=300))
def test_garbage_is_refused_or_read(data):
    with contextlib.suppress(WeightsError):
        assert parse_caffemodel(memoryview(data), "x").layers


def test_too_large_for_protobuf(tmp_path, monkeypatch):
    monkeypatch.setattr(blobproto, "MAX_MESSAGE", 1000)
    net = caffe_pb2.NetParameter()
    net.layer.add(name="big")
    path = tmp_path / "x.caffemodel"
    path.write_bytes(b"kept")
    with pytest.raises(WeightsError, match=r"at most 2 GiB. Write a \.caffemodel\.h5"):
        write_caffemodel(path, net, [[np.zeros(250, np.float32)]])
    assert path.read_bytes() == b"kept"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_number_is_refused(tmp_path):
    net = caffe_pb2.NetParameter()
    net.layer.add(name="words")
    with pytest.raises(WeightsError, match="blob 0 of layer 'words' holds values of type"):
        write_caffemodel(tmp_path / "x.caffemodel", net, [[np.array(["a"])]])
