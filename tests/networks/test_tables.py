"""The nets against tables of facts about the published ones (tables/), and the paper's numbers."""

from __future__ import annotations

from typing import Any

import pytest

from pydeeplab.networks import DATASETS, NETWORKS, build, find
from tests.networks import facts

TABLES = [
    ("vgg16_aspp_l", "train"),
    ("vgg16_aspp_l", "test"),
    ("vgg16_largefov", "train"),
    ("vgg16_4x4", "train"),
    ("vgg16_4x4", "test"),
    ("vgg16_largefov_msc_features", "train"),
    ("vgg16_largefov_msc_features", "test"),
    ("resnet101_aspp_msc", "train"),
    ("resnet101_aspp_msc", "test"),
]
PARAMETERS = {
    "voc12": {
        "vgg16_7x7": 134_346_581,
        "vgg16_4x4": 65_140_565,
        "vgg16_4x4_largefov": 65_140_565,
        "vgg16_largefov": 20_505_429,
        "vgg16_4x4_msc_features": 66_346_686,
        "vgg16_largefov_msc_features": 21_711_550,
        "vgg16_aspp_s": 37_877_652,
        "vgg16_aspp_l": 37_877_652,
        "resnet101": 42_394_816 + 105_344 + 43_029,
        "resnet101_msc": 42_394_816 + 105_344 + 43_029,
        "resnet101_largefov": 42_394_816 + 105_344 + 387_093,
        "resnet101_largefov_msc": 42_394_816 + 105_344 + 387_093,
        "resnet101_aspp": 44_048_532,
        "resnet101_aspp_msc": 44_048_532,
    },
    "pascal_context": {"vgg16_largefov": 20_545_404, "vgg16_aspp_l": 38_037_552, "resnet101_aspp_msc": 46_924_080},
    "person_part": {"vgg16_largefov": 20_491_079, "vgg16_aspp_l": 37_820_252, "resnet101_aspp_msc": 43_016_284},
    "cityscapes": {"vgg16_largefov": 20_503_379, "vgg16_aspp_l": 37_869_452, "resnet101_aspp": 43_901_068},
}
"""Weights, biases and scale factors, from the published nets' shapes."""

ABSENT = {
    # Training nets do not name the top data_dim, so that nothing has to swallow it.
    ("vgg16_aspp_l", "train"): {"silence"},
    # Test nets of VGG-16 read no labels, so that there is nothing to measure.
    ("vgg16_largefov_msc_features", "test"): {"accuracy"},
}


def _geometry(row: dict[str, str], kind: str) -> str:
    """As the table says; a net that is not for training has no fillers."""
    return row["geometry"] if kind == "train" else row["geometry"].partition(" fill ")[0]


@pytest.mark.parametrize(("network", "kind"), TABLES)
def test_layers_are_those_of_the_published_net(network: str, kind: str) -> None:
    layers = facts.layers(find(f"voc12/{network}", kind))
    index = {layer.name: i for i, layer in enumerate(layers)}
    for row in facts.table(f"{network}_{kind}"):
        if row["name"] in ABSENT.get((network, kind), ()):
            continue
        layer = layers[index[row["name"]]]
        assert layer.type == row["type"], row["name"]
        assert list(layer.bottom) == [b for b in row["bottoms"].split(", ") if b], row["name"]
        assert facts.geometry(layer) == _geometry(row, kind), row["name"]
        assert facts.followers(layers, index[row["name"]]) == row["in_place_followers"].split(), row["name"]
        if kind == "train" and layer.type == "Convolution":
            rates = [float(v) for v in row["lr_mult"].split("/")]
            assert facts.multipliers(layer, "lr_mult") == rates, row["name"]
            assert facts.multipliers(layer, "decay_mult") == [float(v) for v in row["decay_mult"].split("/")], row[
                "name"
            ]


@pytest.mark.parametrize(("network", "kind"), [t for t in TABLES if t not in {("vgg16_largefov", "train")}])
def test_no_layer_is_missing_from_the_tables(network: str, kind: str) -> None:
    rows = facts.table(f"{network}_{kind}")
    known = {row["name"] for row in rows} | {name for row in rows for name in row["in_place_followers"].split()}
    mine = [layer.name for layer in facts.layers(find(f"voc12/{network}", kind))]
    assert len(mine) == len(set(mine))
    if kind == "test":  # these tables begin at the heads
        mine = mine[mine.index("fc1_voc12_c0" if "resnet" in network else "fc6_1" if "aspp" in network else "fc6") :]
    copies = {
        name
        for name in mine
        if name.partition("_res0")[0] != name and not name.startswith(("data", "fc", "loss", "acc"))
    }
    assert set(mine) - copies - known <= {"silence"}


@pytest.mark.parametrize("kind", ["train", "test", "deploy"])
def test_scaled_copies_repeat_the_trunk_with_a_suffix(kind: str) -> None:
    layers = {layer.name: layer for layer in facts.layers(find("voc12/resnet101_aspp_msc", kind))}
    trunk = [
        n
        for n in layers
        if n.startswith(("conv1", "bn", "scale", "pool1", "res")) and not n.endswith(("_res05", "_res075"))
    ]
    assert len(trunk) == 446
    for suffix in ("_res05", "_res075"):
        for name in trunk:
            expected = facts.facts(layers[name])
            expected["bottoms"] = [b + suffix for b in expected["bottoms"]]
            expected["tops"] = [t + suffix for t in expected["tops"]]
            assert facts.facts(layers[name + suffix]) == expected


@pytest.mark.parametrize("kind", ["train", "test", "deploy"])
@pytest.mark.parametrize("network", ["resnet101_msc", "resnet101_largefov_msc", "resnet101_aspp_msc"])
def test_every_parameter_of_a_multi_scale_net_is_shared_by_three_layers(network: str, kind: str) -> None:
    names: dict[str, int] = {}
    for layer in facts.layers(find(f"person_part/{network}", kind)):
        blobs = {"BatchNorm": 3, "Scale": 2, "Convolution": 1 + layer.convolution_param.bias_term}.get(layer.type, 0)
        assert [p.name != "" for p in layer.param] == [True] * blobs, layer.name
        for param in layer.param:
            names[param.name] = names.get(param.name, 0) + 1
    assert set(names.values()) == {3}


def test_frozen_layers_of_a_resnet_do_not_learn() -> None:
    for layer in facts.layers(find("voc12/resnet101_aspp", "train")):
        if layer.type in ("BatchNorm", "Scale"):
            assert [p.lr_mult for p in layer.param] == [0.0] * (3 if layer.type == "BatchNorm" else 2)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.folder)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.folder)
def test_parameters(network: Any, dataset: Any) -> None:
    expected = PARAMETERS[dataset.folder].get(network.folder)
    counts = {build(network, dataset, kind).parameters for kind in ("train", "test", "deploy")}
    assert len(counts) == 1
    if expected:
        assert counts == {expected}


def test_classifiers_carry_the_experiment_and_have_a_channel_per_class() -> None:
    for dataset in DATASETS:
        for network in NETWORKS:
            if not network.exists_for(dataset):
                continue
            layers = facts.layers(find(f"{dataset.folder}/{network.folder}"))
            heads = [n for n in layers if n.type == "Convolution" and n.name.startswith(("fc1_", "fc8_"))]
            assert heads
            for head in heads:
                assert head.convolution_param.num_output == dataset.classes
                assert head.name.split("_")[1] == ("pascal" if head.name == "fc8_pascal" else dataset.exp.split("_")[0])


@pytest.mark.parametrize(
    ("network", "rates"),
    [("vgg16_aspp_s", [2, 4, 8, 12]), ("vgg16_aspp_l", [6, 12, 18, 24]), ("resnet101_aspp", [6, 12, 18, 24])],
)
def test_pyramid_rates(network: str, rates: list[int]) -> None:
    layers = facts.layers(find(f"voc12/{network}"))
    found = [n.convolution_param for n in layers if n.name.startswith(("fc6_", "fc1_voc12_c"))]
    assert [(p.dilation[0], p.pad[0]) for p in found] == [(rate, rate) for rate in rates]


@pytest.mark.parametrize(
    ("name", "kind", "crop", "batch", "aug"),
    [
        ("voc12/vgg16_largefov", "train", (321, 0, 0), 10, False),
        ("voc12/vgg16_4x4", "train", (306, 0, 0), 20, False),
        ("voc12/vgg16_4x4", "test", (514, 0, 0), 1, False),
        ("voc12/vgg16_largefov_msc_features", "train", (321, 0, 0), 30, False),
        ("voc12/resnet101", "train", (321, 0, 0), 1, False),
        ("voc12/resnet101_aspp_msc", "train", (321, 0, 0), 1, True),
        ("cityscapes/resnet101_largefov", "train", (321, 0, 0), 1, False),
        ("cityscapes/resnet101_aspp", "train", (321, 0, 0), 1, True),
        ("cityscapes/resnet101_aspp", "test", (0, 1025, 2049), 1, False),
    ],
)
def test_data(name: str, kind: str, crop: tuple[int, ...], batch: int, aug: bool) -> None:
    found = facts.data_facts(facts.layers(find(name, kind))[0])
    assert found["crop"] == crop
    assert found["batch_size"] == batch
    assert found["mean"] == [104.008, 116.669, 122.675]
    assert found["mirror"] == found["shuffle"] == (kind == "train")
    assert found["scale_factors"] == ([0.5, 0.75, 1, 1.25, 1.5] if aug else [])
    assert found["label_type"] == ("NONE" if kind == "test" and "vgg" in name else "PIXEL")
