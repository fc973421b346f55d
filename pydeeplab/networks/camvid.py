"""The small nets for CamVid: the paper's comparisons at a size that a processor core trains in minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydeeplab.networks import heads, small
from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import CAMVID, MEAN_BGR
from pydeeplab.networks.solvers import solver_text
from pydeeplab.networks.text import Word

__all__ = ["SMALL_NETWORKS", "SmallNetwork", "build_small", "small_files"]

CLASSIFIER = "fc8_camvid"
CROP, BATCH = 225, 4
ITERATIONS, SNAPSHOT = 1000, 250
POLY: dict[str, Any] = {
    "base_lr": 0.05,
    "lr_policy": "poly",
    "power": 0.9,
    "max_iter": ITERATIONS,
    "snapshot": SNAPSHOT,
    "display": 20,
    "average_loss": 20,
    "random_seed": Word("${SEED}"),
}
STEP: dict[str, Any] = {
    **{name: value for name, value in POLY.items() if name != "power"},
    "lr_policy": "step",
    "gamma": 0.1,
    "stepsize": -(-ITERATIONS // 3),
}

LONG: dict[str, Any] = {**POLY, "max_iter": 4000, "snapshot": 500}


@dataclass(frozen=True)
class SmallNetwork:
    """One net.

    Attributes
    ----------
    folder, title
        Below prototxt/camvid, and for comments.
    rates
        Of fc6: one for LargeFOV, several for ASPP.
    multi_scale
        Inputs at three scales.
    solvers
        Settings by name of the solver file (without suffix); those that end in ``_aug`` train with random scales.
    """

    folder: str
    title: str
    rates: tuple[int, ...]
    multi_scale: bool = False
    solvers: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"solver": POLY})


SMALL_NETWORKS = (
    SmallNetwork(
        "small_largefov",
        "Small DeepLab-LargeFOV (fc6 3x3, rate 8)",
        (8,),
        solvers={"solver": POLY, "solver_step": STEP, "solver_aug": POLY},
    ),
    SmallNetwork("small_largefov_msc", "Small DeepLab-LargeFOV with multi-scale inputs", (8,), multi_scale=True),
    SmallNetwork(
        "small_aspp_s",
        "Small DeepLab-ASPP-S (fc6 3x3, rates 1, 3, 5, 8)",
        (1, 3, 5, 8),
        solvers={"solver": POLY, "solver_long": LONG},
    ),
    SmallNetwork("small_aspp_l", "Small DeepLab-ASPP-L (fc6 3x3, rates 4, 8, 12, 16)", (4, 8, 12, 16)),
)

WHAT = {
    "train": "The net for training.",
    "train_aug": "The net for training with random scales.",
    "test": "The net for testing on a list of images.",
    "deploy": "The net for images of one's own.",
    "solver": "Settings for training.",
    "solver_step": "Settings for training with a learning rate that falls in steps.",
    "solver_aug": "Settings for training with random scales.",
    "solver_long": "Settings for training four times as long.",
}


def build_small(network: SmallNetwork, kind: str) -> NetBuilder:
    """Write a net of the kind ``train``, ``train_aug``, ``test`` or ``deploy``."""
    training = kind.startswith("train")
    net = NetBuilder(f"camvid/{network.folder}", training=training)
    if training:
        heads.train_data(net, CAMVID, crop_size=CROP, batch_size=BATCH, augment=kind == "train_aug")
    elif kind == "test":
        heads.test_data(net, CAMVID, crop=_test_crop(network), labels=True)
    else:
        heads.deploy_data(net)
    scores = (small.multi_scale if network.multi_scale else small.scores)(
        net, CLASSIFIER, CAMVID.classes, network.rates
    )
    if training:
        _losses(net, scores, multi_scale=network.multi_scale)
        return net
    net.section("scores at full resolution")
    full = net.interp("fc8_interp", scores, zoom=8)
    if kind == "test":
        net.section("results")
        accuracy = {"ignore_label": CAMVID.ignore_label, "reset": False}
        net.layer("accuracy", "SegAccuracy", [full, "label"], "fc8_accuracy", seg_accuracy_param=accuracy)
        heads.silence(net, ["data_dim"])
    return net


def _test_crop(network: SmallNetwork) -> tuple[int, int]:
    """Height and width that all scales can take: 8k+1, or 32k+1."""
    return (385, 481) if network.multi_scale else CAMVID.test_crop


def _losses(net: NetBuilder, scores: str, *, multi_scale: bool) -> None:
    net.section("labels and losses")
    labels = heads.label_shrink(net)
    heads.loss(net, CAMVID, scores, labels)
    if multi_scale:
        heads.loss(net, CAMVID, CLASSIFIER, labels, suffix="_res1")
        heads.loss(net, CAMVID, f"{CLASSIFIER}_res075_interp", labels, suffix="_res075")
        half = heads.label_shrink(net, 16, name="label_shrink16")
        heads.loss(net, CAMVID, f"{CLASSIFIER}_res05", half, suffix="_res05")


def _heading(network: SmallNetwork, kind: str, use: str) -> list[str]:
    return [
        f"{network.title} for {CAMVID.title} ({CAMVID.classes} classes: {CAMVID.content}).",
        WHAT[kind],
        'Source: none was published; a miniature of the nets of Chen et al., "DeepLab", arXiv:1606.00915.',
        use,
        "Written by `python -m pydeeplab.networks`; do not edit.",
    ]


def _use(network: SmallNetwork, kind: str) -> str:
    root = "--define DATA_ROOT=FOLDER (it holds train.txt, val.txt and test.txt)"
    if kind.startswith("solver"):
        return f"Use: {root}, --define TRAIN_SET=train, --define SEED=1; training starts from the fillers."
    if kind != "deploy":
        name = "TRAIN_SET=train" if kind.startswith("train") else "TEST_SET=val"
        return f"Use: {root}, --define {name}."
    size = "32k+1 (8k+1 at each scale)" if network.multi_scale else "8k+1"
    mean = ", ".join(map(str, MEAN_BGR))
    return (
        f"Use: blob data holds BGR values of 0..255 less {mean}, {size} high and wide; blob fc8_interp gets the scores."
    )


def small_files() -> dict[str, str]:
    """The text of every file, by its path below prototxt/."""
    files = {}
    for network in SMALL_NETWORKS:
        folder = f"camvid/{network.folder}"
        augmented = ["train_aug"] if "solver_aug" in network.solvers else []
        for kind in ("train", *augmented, "test", "deploy"):
            heading = _heading(network, kind, _use(network, kind))
            files[f"{folder}/{kind}.prototxt"] = build_small(network, kind).text(heading)
        for kind, settings in network.solvers.items():
            files[f"{folder}/{kind}.prototxt"] = solver_text(
                settings,
                train_net=f"train{'_aug' if kind.endswith('_aug') else ''}.prototxt",
                snapshot_prefix=f"camvid/model/{network.folder}/{kind.replace('solver', 'train')}",
                heading=_heading(network, kind, _use(network, kind)),
            )
    return files
