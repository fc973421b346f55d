"""Whole nets as ONNX: DeepLab's with seeded weights, and two published face detectors."""

import numpy as np
import pytest

from pydeeplab.export import build_graph, check_onnx, export_onnx
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.resources import find_net, net_names
from pydeeplab.seeding import seed_params
from tests.export.support import need_onnx
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
