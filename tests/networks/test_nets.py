"""The nets built and run: shapes, the paper's Table 1, what learns and what does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pydeeplab.analysis import NetSummary, read_without_files, summarise
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.networks import NETWORKS, Network, find
from tests.networks import facts
from tests.networks.test_tables import ABSENT, TABLES
from tests.networks.thin import thin_net


@cache
def _summary(name: str, kind: str = "deploy") -> NetSummary:
    phase = TRAIN if kind == "train" else TEST
    return summarise(Net.from_source(read_without_files(find(name, kind)), phase))


@pytest.mark.parametrize(("network", "kind"), TABLES)
def test_shapes_are_those_of_the_published_net(network: str, kind: str) -> None:
    shapes = {
        blob: shape
        for layer in _summary(f"voc12/{network}", kind).layers
        for blob, shape in zip(layer.tops, layer.shapes, strict=True)
    }
    for row in facts.table(f"{network}_{kind}"):
        if row["shape"] and row["name"] not in ABSENT.get((network, kind), ()):
            assert "x".join(map(str, shapes[row["name"]][1:])) == row["shape"], row["name"]


@pytest.mark.parametrize(
    ("network", "kernel", "rate", "field_of_view", "millions", "receptive_field"),
    [
        ("vgg16_7x7", 7, 4, 224, 134.3, 419),
        ("vgg16_4x4", 4, 4, 128, 65.1, 308),
        ("vgg16_4x4_largefov", 4, 8, 224, 65.1, 419),
        ("vgg16_largefov", 3, 12, 224, 20.5, 435),
    ],
)
def test_table_1(
    network: str, kernel: int, rate: int, field_of_view: int, millions: float, receptive_field: int
) -> None:
    """Kernel, rate, FOV and Params of the paper's Table 1; the receptive field is larger."""
    summary = _summary(f"voc12/{network}")
    fc6 = next(layer for layer in summary.layers if layer.name == "fc6")
    assert fc6.kernel == (kernel, kernel)
    assert fc6.rate == (rate, rate)
    assert fc6.field_of_view == field_of_view
    assert round(summary.parameters.weights / 1e6, 1) == millions
    assert fc6.step == (8, 8)
    assert fc6.receptive_field == (receptive_field, receptive_field)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.folder)
def test_fields_of_view_and_parameters_are_as_announced(network: Network) -> None:
    summary = _summary(f"voc12/{network.folder}")
    views = [layer.field_of_view for layer in summary.layers if layer.field_of_view and "_res0" not in layer.name]
    assert tuple(views) == network.fields_of_view
    heads = [layer for layer in summary.layers if layer.field_of_view]
    assert all(layer.type == "Convolution" for layer in heads)


def test_resnet_counts() -> None:
    parameters = _summary("voc12/resnet101_aspp_msc", "train").parameters
    assert parameters.weights == 44_048_532
    assert parameters.frozen == 105_344
    assert parameters.statistics == 105_448
    assert parameters.total == 44_153_980
    assert _summary("voc12/resnet101_aspp_msc").parameters.total == 44_153_980


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.folder)
@pytest.mark.parametrize("size", [(33, 41), (65, 33)])
def test_deploy_nets_give_scores_of_the_images_size(network: Network, size: tuple[int, int]) -> None:
    if network.multi_scale:
        size = (size[0], 65)  # 32k+1: 8k+1 at three quarters of the size, too
    net = thin_net(f"voc12/{network.folder}", "deploy", size, phase=TEST)
    net.blobs["data"].data[...] = np.random.default_rng(1).standard_normal((1, 3, *size))
    outputs = net.forward()
    assert len(outputs) == 1
    (scores,) = outputs.values()
    assert scores.shape == (1, 21, *size)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.folder)
def test_training_nets_learn(network: Network) -> None:
    name = network.folder
    size = 50 if name == "vgg16_4x4" else 65 if network.multi_scale else 49
    net = thin_net(f"voc12/{name}", "train", (size, size), phase=TRAIN, channels=8)
    random = np.random.default_rng(1)
    net.blobs["data"].data[...] = random.standard_normal(net.blobs["data"].shape)
    net.blobs["label"].data[...] = random.integers(0, 21, net.blobs["label"].shape)
    net.clear_param_diffs()
    outputs = net.forward()
    losses = {n: float(v) for n, v in outputs.items() if n.startswith("loss")}
    expected = {"loss", "loss_res1", "loss_res075", "loss_res05"} if network.multi_scale else {"loss"}
    assert set(losses) == expected
    assert all(0 < value < 100 for value in losses.values())
    net.backward()
    moved = {p.layer.name for p in net.learnable_params if p.lr_mult and np.abs(p.blob.diff).max() > 0}
    frozen = {p.layer.name for p in net.learnable_params if not p.lr_mult}
    if network.side_heads:
        own = {
            f"{pool}_{part}" for pool in ("data", "pool1", "pool2", "pool3", "pool4") for part in ("conv", "fc", "ms")
        }
        assert moved == own | ({"fc8_pascal"} if "4x4" in name else set())
    else:
        convolutions = {
            n.name for n in net.nodes if n.layer.type == "Convolution" and not n.name.endswith(("_res05", "_res075"))
        }
        convolutions = {n for n in convolutions if "_res05_" not in n and "_res075_" not in n}
        assert moved == convolutions
        assert not any(n.startswith(("conv", "res", "fc")) for n in frozen)


def test_scores_of_the_first_release_lie_where_its_test_net_puts_them() -> None:
    """Its test net wants 8k+2 pixels; the deploy net takes 8k+1 and gives the same scores away from the far border."""
    test = thin_net("voc12/vgg16_4x4", "test", (522, 522), phase=TEST)
    deploy = thin_net("voc12/vgg16_4x4", "deploy", (521, 521), phase=TEST)
    deploy.share_with(test)
    image = np.random.default_rng(2).standard_normal((1, 3, 522, 522)).astype(np.float32)
    test.blobs["data"].data[...] = image
    deploy.blobs["data"].data[...] = image[:, :, :521, :521]
    test.forward()
    expected = test.blobs["fc8_crop"].data
    found = deploy.forward()["fc8_crop"]
    assert expected.shape[2:] == (522, 522)
    assert found.shape[2:] == (521, 521)
    far = 522 - 308
    assert np.array_equal(found[:, :, :far, :far], expected[:, :, :far, :far])
    assert not np.array_equal(found, expected[:, :, :521, :521])


def test_scales_of_a_multi_scale_net_share_their_weights_and_the_largest_score_wins() -> None:
    net = thin_net("voc12/resnet101_msc", "deploy", (65, 65), phase=TEST)
    net.blobs["data"].data[...] = np.random.default_rng(3).standard_normal((1, 3, 65, 65))
    net.forward()
    trunk = {name: blobs for name, blobs in net.params.items() if not name.endswith(("_res05", "_res075"))}
    for name, blobs in trunk.items():
        for suffix in ("_res05", "_res075"):
            for mine, other in zip(blobs, net.params[name + suffix], strict=True):
                assert mine.data_storage is other.data_storage
    three = [net.blobs[f"fc1_voc12{s}"].data for s in ("", "_res05_interp", "_res075_interp")]
    assert np.array_equal(net.blobs["fc_fusion"].data, np.max(three, axis=0))
    assert all(np.any(net.blobs["fc_fusion"].data == part) for part in three)
