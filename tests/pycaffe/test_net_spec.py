"""Nets written with ``caffe.layers`` and ``caffe.NetSpec``."""

# ruff: noqa: C408 (fields are written as scripts write them: dict(type="xavier"))

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


def small_net(batch: int) -> Any:
    from caffe import NetSpec
    from caffe import layers as L
    from caffe import params as P

    n = NetSpec()
    n.digits, n.truth = L.DummyData(
        shape=[dict(dim=[batch, 1, 28, 28]), dict(dim=[batch, 1, 1, 1])],
        transform_param=dict(scale=1 / 255),
        ntop=2,
    )
    n.filters = L.Convolution(n.digits, kernel_size=5, num_output=4, weight_filler=dict(type="xavier"))
    n.smaller = L.Pooling(n.filters, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.hidden = L.InnerProduct(n.smaller, num_output=20, weight_filler=dict(type="xavier"))
    n.active = L.ReLU(n.hidden, in_place=True)
    n.scores = L.InnerProduct(n.active, num_output=10, weight_filler=dict(type="xavier"))
    n.cost = L.SoftmaxWithLoss(n.scores, n.truth)
    return n


def anonymous_net(batch: int) -> Any:
    from caffe import layers as L

    digits, truth = L.DummyData(shape=[dict(dim=[batch, 1, 28, 28]), dict(dim=[batch])], ntop=2)
    filters = L.Convolution(digits, kernel_size=5, num_output=4, weight_filler=dict(type="xavier"))
    hidden = L.InnerProduct(L.ReLU(filters, in_place=True), num_output=10)
    again = L.InnerProduct(hidden, num_output=10)
    return L.SoftmaxWithLoss(again, truth).to_proto()


def load(caffe: Any, proto: Any, folder: Path) -> Any:
    """Build the net from its message's text, as scripts do that write prototxts."""
    path = folder / "written.prototxt"
    path.write_text(str(proto))
    return caffe.Net(str(path), caffe.TEST)


def test_names_and_in_place_layers(caffe: Any, tmp_path: Path) -> None:
    proto = small_net(50).to_proto()
    assert [layer.name for layer in proto.layer] == [
        "digits", "filters", "smaller", "hidden", "active", "scores", "cost",
    ]  # fmt: skip
    assert list(proto.layer[0].top) == ["digits", "truth"]
    assert list(proto.layer[4].bottom) == list(proto.layer[4].top) == ["hidden"]
    assert list(proto.layer[5].bottom) == ["hidden"]
    assert proto.layer[2].pooling_param.pool == caffe.proto.caffe_pb2.PoolingParameter.MAX
    assert proto.layer[0].transform_param.scale == pytest.approx(1 / 255)
    net = load(caffe, proto, tmp_path)
    assert net.blobs["digits"].data.shape == (50, 1, 28, 28)
    assert net.forward()["cost"].shape == ()


def test_made_up_names(caffe: Any, tmp_path: Path) -> None:
    proto = anonymous_net(3)
    assert [layer.name for layer in proto.layer] == [
        "DummyData1", "Convolution1", "ReLU1", "InnerProduct1", "InnerProduct2", "SoftmaxWithLoss1",
    ]  # fmt: skip
    assert list(proto.layer[0].top) == ["DummyData1", "DummyData2"]
    assert list(proto.layer[-1].bottom) == ["InnerProduct2", "DummyData2"]
    net = load(caffe, proto, tmp_path)
    assert net.outputs == ["SoftmaxWithLoss1"]
    assert caffe.to_proto(small_net(2).cost).layer[-1].name == "SoftmaxWithLoss1"


def test_layers_without_tops(caffe: Any, tmp_path: Path) -> None:
    L = caffe.layers
    n = caffe.NetSpec()
    n.one = L.DummyData(shape=dict(dim=3))
    n.two = L.DummyData(shape=dict(dim=3))
    n.hush_one = L.Silence(n.one, ntop=0)
    n.hush_two = L.Silence(n.two, ntop=0)
    proto = n.to_proto()
    assert [layer.name for layer in proto.layer] == ["one", "two", "Silence1", "Silence2"]
    assert load(caffe, proto, tmp_path).forward() == {}


def test_only_tops_are_inputs(caffe: Any) -> None:
    L = caffe.layers
    pair = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(pair, ntop=0)
    with pytest.raises(TypeError, match=r"^Eltwise input 1 is not a Top \(type is <class 'int'>\)$"):
        L.Eltwise(pair[0], 3)
    with pytest.raises(TypeError, match=r"^ReLU input 0 is not a Top \(type is <class 'NoneType'>\)$"):
        L.ReLU(None)


def test_items_attributes_and_deletion(caffe: Any) -> None:
    n = caffe.NetSpec()
    n["data"] = caffe.layers.Input(shape=dict(dim=[1, 2]))
    n.other = caffe.layers.ReLU(n.data)
    assert n.data is n["data"]
    assert list(n.keys()) == list(n) == ["data", "other"]
    assert "other" in n
    del n.other
    assert len(n) == 1
    assert not hasattr(n, "other")
    for missing in (AttributeError, KeyError):
        with pytest.raises(missing, match="Did you mean 'data'"):
            n["dat"]
    n.update("data", dict(shape=dict(dim=[3, 4]), name="renamed"))
    (layer,) = n.to_proto().layer
    assert (layer.name, list(layer.top), list(layer.input_param.shape[0].dim)) == ("renamed", ["data"], [3, 4])
    assert n.vals() == [n.data]


def test_fields_of_every_kind(caffe: Any) -> None:
    L, pb = caffe.layers, caffe.proto.caffe_pb2
    data = L.Input(shape=[dict(dim=[1, 3, 9, 9])], name="first")
    conv = L.Convolution(
        data,
        kernel_size=np.array([3, 5]),
        num_output=np.int64(4),
        bias_filler=dict(type="constant", value=np.float32(0.5)),
        param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
        include=dict(phase=pb.TRAIN),
        loss_weight=0,
    )
    up = L.Deconvolution(conv, convolution_param=dict(num_output=4, kernel_size=4, stride=2))
    python = L.Python(up, module="m", layer="C", param_str="7", ntop=2)
    proto = caffe.to_proto(*python)
    first, second, third, fourth = proto.layer
    assert first.name == "first"
    assert list(second.convolution_param.kernel_size) == [3, 5]
    assert second.convolution_param.bias_filler.value == 0.5
    assert [p.lr_mult for p in second.param] == [1, 2]
    assert second.include[0].phase == pb.TRAIN
    assert list(second.loss_weight) == [0]
    assert list(third.convolution_param.stride) == [2]
    assert (fourth.python_param.param_str, len(fourth.top)) == ("7", 2)


def test_unknown_fields(caffe: Any) -> None:
    data = caffe.layers.Input(shape=dict(dim=[1]))
    with pytest.raises(AttributeError, match=r"Convolution has no field 'kernel_siz'. Did you mean 'kernel_size'"):
        caffe.layers.Convolution(data, kernel_siz=3).to_proto()
    with pytest.raises(AttributeError, match="some_param=dict"):
        caffe.layers.Deconvolution(data, num_output=3).to_proto()
    with pytest.raises(AttributeError, match="FillerParameter has no field 'typ'"):
        caffe.layers.Convolution(data, weight_filler=dict(typ="xavier")).to_proto()


def test_the_helpers_of_the_module(caffe: Any) -> None:
    from caffe.net_spec import Function, Top, assign_proto, param_name_dict

    assert {k: param_name_dict()[k] for k in ("Pooling", "InnerProduct", "HDF5Data")} == {
        "Pooling": "pooling",
        "InnerProduct": "inner_product",
        "HDF5Data": "hdf5_data",
    }
    layer = caffe.proto.caffe_pb2.LayerParameter()
    assign_proto(layer, "bottom", ["a", "b"])
    assign_proto(layer, "bottom", "c")
    assign_proto(layer, "dropout_param", {"dropout_ratio": 0.25})
    assign_proto(layer, "blobs", [{"data": [1.0, 2.0], "shape": {"dim": [2]}}])
    assert list(layer.bottom) == ["a", "b", "c"]
    assert layer.dropout_param.dropout_ratio == 0.25
    assert list(layer.blobs[0].data) == [1, 2]
    fn = Function("Input", (), {"ntop": 2})
    assert [isinstance(top, Top) and top.n for top in fn.tops] == [0, 1]


def test_deep_nets_do_not_recurse_too_deeply(caffe: Any) -> None:
    top = caffe.layers.Input(shape=dict(dim=[1]))
    for _ in range(3000):
        top = caffe.layers.ReLU(top)
    assert len(top.to_proto().layer) == 3001


def test_under_the_own_name() -> None:
    import pydeeplab

    top = pydeeplab.layers.Pooling(pydeeplab.layers.Input(shape=dict(dim=[1])), pool=pydeeplab.params.Pooling.AVE)
    assert top.to_proto().layer[1].pooling_param.pool == 1
