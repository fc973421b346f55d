"""The small nets for CamVid: they parse, build, learn, and differ in what is compared and in nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from pydeeplab.analysis import without_data_layers
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.networks import find
from pydeeplab.networks.camvid import SMALL_NETWORKS, build_small
from pydeeplab.proto import read_net, read_solver
from pydeeplab.randomness import set_random_seed
from tests.networks.facts import DEFINES, data_facts, layers

NAMES = [network.folder for network in SMALL_NETWORKS]
TRAIN_NETS = [(name, "train") for name in NAMES] + [("small_largefov", "train_aug")]
CLASSES, VOID = 11, 11


@cache
def net_of(name: str, kind: str, size: tuple[int, int] | None = None) -> Net:
    """A net with random weights and without its data; in the size of its file unless one is given."""
    set_random_seed(1)
    source = without_data_layers(read_net(find(f"camvid/{name}", kind), defines=DEFINES), image_size=size)
    return Net.from_source(source, TRAIN if kind.startswith("train") else TEST)


def feed(net: Net) -> None:
    """Give a training net a picture and labels, some of them void."""
    random = np.random.default_rng(2)
    net.blobs["data"].data[...] = random.normal(0, 50, net.blobs["data"].shape)
    net.blobs["label"].data[...] = random.integers(0, CLASSES + 1, net.blobs["label"].shape)


def heads(name: str, kind: str = "deploy") -> list[Any]:
    """The fc6 convolutions at full scale."""
    return [n for n in layers(find(f"camvid/{name}", kind)) if n.name.startswith("fc6") and n.type == "Convolution"]


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("small_largefov", [8]),
        ("small_largefov_msc", [8, 8, 8]),
        ("small_aspp_s", [1, 3, 5, 8]),
        ("small_aspp_l", [4, 8, 12, 16]),
    ],
)
def test_heads_have_the_rates_that_the_names_promise(name: str, rates: list[int]) -> None:
    convolutions = [layer.convolution_param for layer in heads(name)]
    assert [c.dilation[0] if c.dilation else 1 for c in convolutions] == rates
    assert [c.pad[0] for c in convolutions] == rates


@pytest.mark.parametrize(("name", "kind"), TRAIN_NETS)
def test_data(name: str, kind: str) -> None:
    data = layers(find(f"camvid/{name}", kind))[0]
    found = data_facts(data)
    assert found["crop"] == (225, 0, 0)
    assert found["mirror"] is found["shuffle"] is True
    assert found["scale_factors"] == ([0.5, 0.75, 1, 1.25, 1.5] if kind == "train_aug" else [])
    assert data.image_data_param.source == "/data/train_aug.txt"
    assert data.image_data_param.root_folder == "/data/"
    assert data.image_data_param.ignore_label == VOID


@pytest.mark.parametrize("kind", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_void_pixels_count_nowhere(name: str, kind: str) -> None:
    for layer in layers(find(f"camvid/{name}", kind)):
        if layer.type == "SoftmaxWithLoss":
            assert layer.loss_param.ignore_label == VOID
            assert len(layer.loss_param.class_weight) == CLASSES
        elif layer.type == "SegAccuracy":
            assert list(layer.seg_accuracy_param.ignore_label) == [VOID]


@pytest.mark.parametrize("name", NAMES)
def test_nets_build_at_their_own_sizes(name: str) -> None:
    test = net_of(name, "test")
    height, width = (385, 481) if name.endswith("_msc") else (361, 481)
    assert test.blobs["data"].shape == (1, 3, height, width)
    assert test.blobs["fc8_interp"].shape == (1, CLASSES, height, width)
    train = net_of(name, "train")
    scores = "fc_fusion" if name.endswith("_msc") else "fc8_camvid"
    assert train.blobs[scores].shape == (4, CLASSES, 29, 29)
    assert train.blobs["label_shrink"].shape == (4, 1, 29, 29)


@pytest.mark.parametrize("name", NAMES)
def test_deploy_nets_give_eleven_scores_for_every_pixel(name: str) -> None:
    train, net = net_of(name, "train", (65, 65)), net_of(name, "deploy", (65, 97))
    feed(train)
    train.forward()  # fills the statistics of BatchNorm
    net.share_with(train)
    image = np.random.default_rng(1).normal(0, 50, (1, 3, 65, 97))
    (scores,) = net.forward(data=image.astype(np.float32)).values()
    assert scores.shape == (1, CLASSES, 65, 97)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


@pytest.mark.parametrize(("name", "kind"), TRAIN_NETS)
def test_every_parameter_learns(name: str, kind: str) -> None:
    net = net_of(name, kind, (65, 65))
    feed(net)
    net.clear_param_diffs()
    outputs = net.forward()
    losses = {n for n in outputs if n.startswith("loss")}
    assert losses == ({"loss", "loss_res1", "loss_res075", "loss_res05"} if name.endswith("_msc") else {"loss"})
    net.backward()
    learned = [p for p in net.learnable_params if p.lr_mult]
    assert len(learned) > 30
    assert all(np.abs(p.blob.diff).max() > 0 for p in learned)
    assert all("bn_" in p.layer.name for p in net.learnable_params if not p.lr_mult)


def test_scales_share_all_parameters() -> None:
    net = net_of("small_largefov_msc", "train", (65, 65))
    for name, blobs in net.params.items():
        for suffix in ("_res05", "_res075"):
            copy = name.removesuffix("_res05").removesuffix("_res075") + suffix
            assert [b.data_storage for b in net.params[copy]] == [b.data_storage for b in blobs]
    alone = net_of("small_largefov", "train")
    assert build_small(SMALL_NETWORKS[1], "train").parameters == build_small(SMALL_NETWORKS[0], "train").parameters
    assert {n for n in net.params if "_res0" not in n} == set(alone.params)


def settings(name: str, kind: str) -> dict[str, Any]:
    """The fields of a solver that say how to train."""
    param = read_solver(find(f"camvid/{name}", kind), defines={"SEED": 3}).param
    return {field.name: value for field, value in param.ListFields() if field.name != "snapshot_prefix"}


def test_solvers_differ_only_in_what_is_compared() -> None:
    base = settings("small_largefov", "solver")
    assert (base["random_seed"], base["lr_policy"], base["max_iter"]) == (3, "poly", 1000)
    step = settings("small_largefov", "solver_step")
    assert (step["lr_policy"], step["gamma"], step["stepsize"]) == ("step", pytest.approx(0.1), 334)
    schedule = {"lr_policy", "power", "gamma", "stepsize"}
    assert {k: v for k, v in step.items() if k not in schedule} == {k: v for k, v in base.items() if k not in schedule}
    assert settings("small_largefov", "solver_aug") == {**base, "train_net": "train_aug.prototxt"}
    assert settings("small_aspp_s", "solver_long") == {**base, "max_iter": 4000, "snapshot": 500}
    assert [settings(name, "solver") for name in NAMES] == [base] * len(NAMES)


def test_a_net_with_random_scales_differs_in_nothing_else() -> None:
    plain, augmented = (layers(find("camvid/small_largefov", kind)) for kind in ("train", "train_aug"))
    assert [layer.name for layer in plain] == [layer.name for layer in augmented]
    different = [p.name for p, a in zip(plain, augmented, strict=True) if p != a]
    assert different == ["data"]
