"""The nets against published prototxts, layer by layer; every intended difference is listed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from pydeeplab.networks import find
from tests.networks import facts
from tests.support.external import shared

TRAIN, TEST = 0, 1
CONTEXT_2 = "TheLegendAli+DeepLab-Context2/config"
CONTEXT = "TheLegendAli+DeepLab-Context/voc12/vgg128_noup"
DEFINES = {
    "EXP": "voc12",
    "NUM_LABELS": "21",
    "NET_ID": "net",
    "NET_ROOT": "net",
    "TEST_SET_POSTFIX": "",
    "TRAIN_SET": "train_aug",
}
FC6_FC7 = ("fc6", "fc7")


@dataclass
class Pair:
    """One of our nets and a published one."""

    ours: str
    kind: str
    published: str
    phase: int
    data: dict[str, Any] = field(default_factory=dict)
    """What our data layer says instead."""
    only_ours: tuple[str, ...] = ()
    only_theirs: tuple[str, ...] = ()
    ignores: bool = True
    """Whether the published net says which label to ignore (its dialect always ignored 255)."""


PAIRS = [
    Pair("resnet101_aspp_msc", "train", f"{CONTEXT_2}/DEEPLABV2-RESNET101/train.prototxt", TRAIN),
    Pair("resnet101_aspp_msc", "test", f"{CONTEXT_2}/DEEPLABV2-RESNET101/test.prototxt", TEST),
    # First release: batches of 30 and steps; ours has the batch of the paper's poly schedule.
    Pair("vgg16_largefov", "train", f"{CONTEXT_2}/DeepLab-COCO-LargeFOV/train.prototxt", TRAIN, {"batch_size": 10}),
    Pair(
        "vgg16_largefov",
        "train",
        "corenel+deeplab-public/exper/voc12/config/deeplab_largeFOV/train.prototxt",
        TRAIN,
        {"batch_size": 10},
    ),
    # Its CRF within the net is not part of ours.
    Pair(
        "vgg16_largefov",
        "test",
        "martinkersner+train-DeepLab/DeepLab-LargeFOV/test.prototxt",
        TEST,
        {"label_type": "NONE"},
        only_theirs=("crf", "crf_mat"),
    ),
    Pair("vgg16_largefov_msc_features", "train", f"{CONTEXT_2}/DeepLab-MSc-COCO-LargeFOV/train.prototxt", TRAIN),
    # Its MatWrite bears the name of the layer before it.
    Pair(
        "vgg16_4x4_msc_features",
        "test",
        f"{CONTEXT_2}/DeepLab-MSc/test.prototxt",
        TEST,
        {"label_type": "NONE"},
        only_ours=("fc8_mat", "silence"),
        only_theirs=("fc_fusion MatWrite",),
    ),
    Pair("vgg16_4x4", "train", f"{CONTEXT_2}/DeepLab/train.prototxt", TRAIN),
    Pair("vgg16_4x4", "train", f"{CONTEXT}/train_trainval_aug.prototxt", TRAIN, ignores=False),
    Pair("vgg16_4x4", "test", f"{CONTEXT}/test.prototxt", TEST, {"label_type": "NONE"}, only_ours=("silence",)),
]


def _comparable(layer: Any, pair: Pair) -> dict[str, Any]:
    """The facts without what differs on purpose everywhere."""
    found = facts.facts(layer)
    if layer.type in ("SoftmaxWithLoss", "SegAccuracy") and not pair.ignores:
        found["geometry"] = "ignore 255"
    if found["type"] == "SoftmaxWithLoss":
        found["tops"] = []  # ours have a name
    if found["type"] == "Silence":
        found["bottoms"] = []  # ours name and swallow data_dim too
    if pair.kind == "test":  # published test nets repeat some multipliers and fillers, which mean nothing there
        found["lr_mult"] = found["decay_mult"] = None
        found["filler"] = ""
        found["geometry"] = found["geometry"].partition(" fill ")[0]
    elif layer.name in FC6_FC7:
        found["filler"] = ""  # ours can learn without weights
    return found


def _split(layers: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    data = [layer for layer in layers if layer.type == "ImageSegData"]
    named: dict[str, Any] = {}
    for layer in layers:
        if layer.type != "ImageSegData":
            named[f"{layer.name} {layer.type}" if layer.name in named else layer.name] = layer
    return data, named


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p.ours}-{p.kind}-{p.published.split('/')[0].split('+')[0]}")
def test_nets_equal_the_published_ones(pair: Pair) -> None:
    published = shared(f"data/prototxt_corpus/{pair.published}")
    my_data, mine = _split(facts.layers(find(f"voc12/{pair.ours}", pair.kind), pair.phase))
    their_data, theirs = _split(facts.layers(published, pair.phase, **DEFINES))
    for name in pair.only_theirs:
        del theirs[name]
    for name in pair.only_ours:
        del mine[name]
    assert list(mine) == list(theirs), "names or their order"
    pairs = {name: (_comparable(mine[name], pair), _comparable(theirs[name], pair)) for name in mine}
    assert {name: both for name, both in pairs.items() if both[0] != both[1]} == {}
    assert facts.data_facts(my_data[0]) == {**facts.data_facts(their_data[0]), **pair.data}


def _trunk(layers: list[Any], until: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for layer in layers:
        if layer.type in ("Input", "ImageSegData"):
            continue
        if layer.name == until:
            break
        found[layer.name] = facts.facts(layer)
    return found


def _dense(name: str, theirs: dict[str, Any]) -> dict[str, Any]:
    """How DeepLab changes a convolution of the classification net: no stride in res4 and res5, rates 2 and 4."""
    rate = {"res4": 2, "res5": 4}.get(name[:4])
    if rate and theirs["type"] == "Convolution":
        theirs = dict(theirs)
        theirs["geometry"] = theirs["geometry"].replace(" s2 ", " s1 ")
        if " k3 " in theirs["geometry"]:
            theirs["geometry"] = theirs["geometry"].replace("p1 d1", f"p{rate} d{rate}")
    return theirs


def test_resnet_is_the_imagenet_net_made_dense() -> None:
    path = shared("data/prototxt_corpus/KaimingHe+deep-residual-networks/prototxt/ResNet-101-deploy.prototxt")
    theirs = {name: _dense(name, found) for name, found in _trunk(facts.layers(path), "pool5").items()}
    mine = _trunk(facts.layers(find("voc12/resnet101")), "fc1_voc12")
    # Theirs rounds up instead of padding; with padding, inputs of 8k+1 stay aligned.
    assert theirs["pool1"].pop("geometry") == "MAX k3 s2 p0"
    assert mine["pool1"].pop("geometry") == "MAX k3 s2 p1"
    assert mine == theirs


def test_resnet_aspp_is_the_published_net_at_one_scale() -> None:
    path = shared("data/prototxt_corpus/DrSleep+tensorflow-deeplab-resnet/misc/deploy.prototxt")
    theirs = _trunk(facts.layers(path), "")
    mine = _trunk(facts.layers(find("voc12/resnet101_aspp", "train")), "label_shrink")
    compared = ("type", "bottoms", "tops", "geometry")
    assert [(n, *(f[c] for c in compared)) for n, f in mine.items()] == [
        (n, *(f[c] for c in compared)) for n, f in theirs.items()
    ]
