"""Whole nets as ONNX: DeepLab's with seeded weights, and two published face detectors."""

import numpy as np
import pytest

from pydeeplab.export import build_graph, check_onnx, export_onnx
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.resources import find_net, net_names
from pydeeplab.seeding import seed_params
from tests.export.support import input_layer, layer, need_onnx, random_net
from tests.support.external import shared

FACES = "data/weights/Linzaer-UltraFace"


def _seeded(name: str, size: int) -> Net:
    net = Net(find_net(name), TEST, inputs={"data": (1, 3, size, size)})
    seed_params(net)
    random = np.random.default_rng(1)
    for node in net.nodes:
        if node.layer.type == "BatchNorm":  # statistics and a factor that are not those of the identity
            mean, variance, factor = node.layer.blobs
            mean.data[...] = random.standard_normal(mean.shape)
            variance.data[...] = 2 * random.uniform(0.5, 2, variance.shape)
            factor.data[...] = 2
    return net


@pytest.mark.parametrize(
    "name", ["tiny/aspp", "voc12/vgg16_aspp_l", "voc12/vgg16_largefov", "voc12/resnet101_aspp_msc"]
)
def test_nets_with_seeded_weights_agree_with_onnx_runtime(name, tmp_path):
    need_onnx()
    net = _seeded(name, 65)
    export_onnx(net, tmp_path / "net.onnx", dynamic=True)
    errors = check_onnx(tmp_path / "net.onnx", net)
    net.blobs["data"].reshape(1, 3, 97, 129)
    net.reshape()
    errors += check_onnx(tmp_path / "net.onnx", net)
    assert len(errors) == 2
    assert max(error.relative for error in errors) < 1e-4


@pytest.mark.parametrize("name", [n for n in net_names() if n.startswith("voc12/")])
def test_all_nets_can_be_exported(name):
    net = Net(find_net(name), TEST, inputs={"data": (1, 3, 65, 65)})
    graph = build_graph(net, dynamic=True)
    assert [value.name for value in graph.inputs] == net.inputs
    assert [value.name for value in graph.outputs] == net.outputs
    assert graph.inputs[0].shape == ("batch", 3, "height", "width")


def test_parameters_shared_among_scales_are_stored_once():
    single, scales = (_seeded(f"voc12/{name}", 33) for name in ("resnet101_aspp", "resnet101_aspp_msc"))
    assert build_graph(scales).nbytes < 1.001 * build_graph(single).nbytes


@pytest.mark.parametrize("name", ["slim-320", "RFB-320"])
def test_published_onnx_files_agree_with_our_run_of_the_caffemodels(name, tmp_path):
    folder = shared(FACES)
    need_onnx()
    net = Net(folder / f"{name}.prototxt", TEST, weights=folder / f"{name}.caffemodel")
    random = np.random.default_rng(0)
    given = {"input": ((random.integers(0, 256, net.blobs["input"].shape) - 127) / 128).astype(np.float32)}
    published = check_onnx(folder / f"version-{name}_simplified.onnx", net, inputs=given)
    assert sorted(error.name for error in published) == ["boxes", "scores"]
    assert max(error.relative for error in published) < 1e-4
    export_onnx(net, tmp_path / "net.onnx")
    ours = check_onnx(tmp_path / "net.onnx", net, inputs=given)
    assert max(error.relative for error in ours) < 1e-5


def _conv(name: str, bottom: str, outputs: int, more: str = "kernel_size: 3 pad: 1") -> str:
    text = layer(
        "Convolution", f"convolution_param {{ num_output: {outputs} {more} }}", bottom=bottom, top=name, name=name
    )
    norm = layer("BatchNorm", bottom=name, top=name, name=f"{name}_bn")
    scale = layer("Scale", "scale_param { bias_term: true }", bottom=name, top=name, name=f"{name}_scale")
    return text + norm + scale + layer("ReLU", bottom=name, top=name, name=f"{name}_relu")


def _pool(name: str, bottom: str, top: str) -> str:
    return layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", bottom=bottom, top=top, name=name)


def _fcn() -> str:
    """Thin, with everything that FCN-8s has: a padded input, two scores that are cropped and added, deconvolutions."""
    deconv = "convolution_param {{ num_output: 3 kernel_size: {0} stride: {1} bias_term: false }}"
    text = input_layer(1, 3, 32, 40) + _conv("c1", "data", 6, "kernel_size: 3 pad: 20") + _pool("p1", "c1", "p1")
    text += _conv("c2", "p1", 8) + _pool("p2", "c2", "p2") + _conv("c3", "p2", 8, "kernel_size: 5")
    text += layer("Dropout", bottom="c3", top="c3", name="drop") + _conv("s2", "c3", 3, "kernel_size: 1")
    text += layer("Deconvolution", deconv.format(4, 2), bottom="s2", top="up2", name="up2")
    text += layer("Power", "power_param { scale: 0.1 }", bottom="p1", top="small", name="small")
    text += _conv("s1", "small", 3, "kernel_size: 1")
    text += layer("Crop", "crop_param { axis: 2 offset: 4 }", bottom="s1 up2", top="s1c", name="crop1")
    text += layer("Eltwise", "eltwise_param { operation: SUM }", bottom="up2 s1c", top="sum", name="sum")
    text += layer("Deconvolution", deconv.format(4, 2), bottom="sum", top="up1", name="up1")
    return text + layer("Crop", "crop_param { axis: 2 offset: 9 }", bottom="up1 data", top="score", name="score")


def _segnet() -> str:
    """Thin, with everything that SegNet has: positions from two poolings lead two upsamplings."""
    text = input_layer(1, 3, 24, 32) + layer("LRN", "lrn_param { local_size: 5 }", top="norm", name="norm")
    text += _conv("c1", "norm", 6) + _pool("p1", "c1", "p1 m1") + _conv("c2", "p1", 8) + _pool("p2", "c2", "p2 m2")
    text += layer("Upsample", "upsample_param { scale: 2 }", bottom="p2 m2", top="u2", name="u2") + _conv("d2", "u2", 6)
    text += layer("Upsample", "upsample_param { scale: 2 }", bottom="d2 m1", top="u1", name="u1") + _conv("d1", "u1", 4)
    return text + layer("Softmax", bottom="d1", top="prob", name="prob")


@pytest.mark.parametrize("text", [_fcn(), _segnet()], ids=["FCN", "SegNet"])
def test_thin_nets_of_other_kinds(text, tmp_path):
    need_onnx()
    net = random_net(text)
    export_onnx(net, tmp_path / "net.onnx", dynamic=True)
    inputs = np.random.default_rng(0).standard_normal((2, 3, 40, 48)).astype(np.float32)
    for items, height, width in ((1, 32, 40), (2, 40, 48)):
        net.blobs["data"].reshape(items, 3, height, width)
        net.reshape()
        errors = check_onnx(tmp_path / "net.onnx", net, inputs={"data": inputs[:items, :, :height, :width]})
        assert len(errors) == 1
        assert errors[0].relative < 1e-4
