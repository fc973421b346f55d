"""Dense nets from the published classification nets are those of prototxt/, up to names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pydeeplab.analysis import without_data_layers
from pydeeplab.densify import ASPP, Head, LargeFOV, Plain, densify
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.networks import find
from pydeeplab.proto import parse_net, read_net, read_solver
from tests.densify.nets import resnet, vgg16, write
from tests.networks.facts import DEFINES

HEADS: dict[str, tuple[str, Head, bool]] = {
    "vgg16_7x7": ("vgg", Plain(), False),
    "vgg16_4x4_largefov": ("vgg", LargeFOV(4, 8, None), False),
    "vgg16_largefov": ("vgg", LargeFOV(3, 12, 1024), False),
    "vgg16_aspp_s": ("vgg", ASPP((2, 4, 8, 12)), False),
    "vgg16_aspp_l": ("vgg", ASPP((6, 12, 18, 24)), False),
    "resnet101": ("resnet", Plain(), False),
    "resnet101_largefov": ("resnet", LargeFOV(3, 12), False),
    "resnet101_aspp": ("resnet", ASPP((6, 12, 18, 24)), False),
    "resnet101_aspp_msc": ("resnet", ASPP((6, 12, 18, 24)), True),
}


def structure(param: Any) -> list[dict[str, Any]]:
    """Layers with everything that matters, and numbers in place of the names of blobs and shared parameters."""
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    rows = []
    for layer in param.layer:
        conv, pool = layer.convolution_param, layer.pooling_param
        rows.append(
            {
                "type": layer.type,
                "bottoms": [number(b) for b in layer.bottom],
                "tops": [number(t) for t in layer.top],
                "params": [(number(p.name) if p.name else None, p.lr_mult, p.decay_mult) for p in layer.param],
                "convolution": [
                    conv.num_output, conv.bias_term, list(conv.kernel_size), list(conv.stride) or [1],
                    list(conv.pad) or [0], list(conv.dilation) or [1],
                ],
                "pooling": [pool.pool, pool.kernel_size, pool.stride, pool.pad, list(pool.dilation)],
                "batch_norm": layer.batch_norm_param.use_global_stats,
                "eltwise": layer.eltwise_param.operation,
                "interp": [layer.interp_param.shrink_factor, layer.interp_param.zoom_factor],
                "ignored": layer.loss_param.ignore_label,
            }
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module", params=HEADS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """The name of a net of the paper, and what densify makes of the classification net."""
    trunk, head, multi_scale = HEADS[request.param]
    text = vgg16() if trunk == "vgg" else resnet()
    path = write(tmp_path_factory.mktemp("net"), text)
    return request.param, densify(path, classes=21, head=head, windows="deeplab", multi_scale=multi_scale)


@pytest.mark.parametrize("kind", ["deploy", "train"])
def test_layers_are_those_of_the_paper(pair: tuple[str, Any], kind: str) -> None:
    name, dense = pair
    expected = structure(read_net(find(f"voc12/{name}", kind), defines=DEFINES).param)
    assert structure(parse_net(dense.texts[kind], defines=DEFINES).param) == expected


def test_the_solver_is_that_of_the_paper(pair: tuple[str, Any], tmp_path: Path) -> None:
    name, dense = pair
    if name in ("vgg16_7x7", "vgg16_4x4_largefov"):
        pytest.skip("the first release's have steps")
    (tmp_path / "solver.prototxt").write_text(dense.texts["solver"])
    ours = read_solver(tmp_path / "solver.prototxt").param
    theirs = read_solver(find(f"voc12/{name}", "solver"), defines=DEFINES).param
    for param in (ours, theirs):
        param.ClearField("snapshot_prefix")
    assert ours == theirs


@pytest.mark.parametrize("multi_scale", [False, True])
@pytest.mark.parametrize("stride", [1, 4, 32])
@pytest.mark.parametrize("windows", ["exact", "deeplab"])
def test_scores_and_labels_meet(tmp_path: Path, multi_scale: bool, stride: int, windows: Any) -> None:
    """All nets build: the crops fit the strides, the labels the scores, the scales each other."""
    path = write(tmp_path, vgg16(64))
    dense = densify(
        path, classes=4, output_stride=stride, head=ASPP((2, 3), channels=8), windows=windows, multi_scale=multi_scale
    )
    for kind in ("train", "test", "deploy"):
        source = without_data_layers(parse_net(dense.texts[kind], defines=DEFINES))
        for layer in source.param.layer:
            layer.convolution_param.ClearField("weight_filler")
        net = Net.from_source(source, TRAIN if kind == "train" else TEST)
        scores = net.blobs["fc_fusion" if multi_scale else "fc8_voc12"].shape[2:]
        size = net.blobs["data"].shape[2:]
        assert scores == tuple((n - 1) // stride + 1 for n in size)
        assert all((n - 1) % dense.size_step == 0 for n in size)
        if kind == "deploy":
            assert net.blobs[dense.scores].shape[2:] == size
