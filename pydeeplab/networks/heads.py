"""What surrounds a net's scores: where images come from, losses, and what a test net does with the scores."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import MEAN_BGR, Dataset
from pydeeplab.networks.text import Word

__all__ = [
    "IGNORE_LABEL",
    "SCALE_FACTORS",
    "deploy_data",
    "label_shrink",
    "loss",
    "mat_write",
    "silence",
    "test_data",
    "train_data",
]

IGNORE_LABEL = 255
SCALE_FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""The paper's augmentation "Aug": images scaled at random, from 0.5 to 1.5."""


def train_data(net: NetBuilder, dataset: Dataset, *, crop_size: int, batch_size: int, augment: bool) -> None:
    """Images and label maps from the list ``<EXP>/list/${TRAIN_SET}.txt``, shuffled, mirrored, cropped at random."""
    net.source(
        "data",
        "ImageSegData",
        ["data", "label"],
        transform_param={
            "mirror": True,
            "crop_size": crop_size,
            "mean_value": MEAN_BGR,
            "scale_factors": SCALE_FACTORS if augment else None,
        },
        image_data_param={
            "source": dataset.source("TRAIN_SET"),
            "batch_size": batch_size,
            "shuffle": True,
            "root_folder": dataset.root,
            "label_type": Word("PIXEL"),
            "ignore_label": _unless_255(dataset),
        },
    )


def test_data(net: NetBuilder, dataset: Dataset, *, crop: tuple[int, int], labels: bool) -> None:
    """One image at a time from ``<EXP>/list/${TEST_SET}.txt``, padded to ``crop``; its real size is ``data_dim``."""
    height, width = crop
    window = {"crop_size": height} if height == width else {"crop_height": height, "crop_width": width}
    net.source(
        "data",
        "ImageSegData",
        ["data", "label", "data_dim"],
        transform_param={**window, "mean_value": MEAN_BGR},
        image_data_param={
            "source": dataset.source("TEST_SET"),
            "batch_size": 1,
            "root_folder": dataset.root,
            "label_type": Word("PIXEL" if labels else "NONE"),
            "ignore_label": _unless_255(dataset),
        },
    )


def _unless_255(dataset: Dataset) -> int | None:
    return dataset.ignore_label if dataset.ignore_label != IGNORE_LABEL else None


def deploy_data(net: NetBuilder, size: int = 513) -> None:
    """An image of mean-subtracted BGR values, written into ``net.blobs['data']``; may be reshaped."""
    net.source("data", "Input", ["data"], input_param={"shape": {"dim": [1, 3, size, size]}})


def label_shrink(net: NetBuilder, factor: int = 8, *, name: str = "label_shrink", pad_beg: int = 0) -> str:
    """The label map at the scores' resolution: every ``factor``-th pixel, exactly, for crops of ``factor`` * k + 1."""
    return net.interp(name, "label", shrink=factor, pad_beg=pad_beg)


def loss(net: NetBuilder, dataset: Dataset, scores: str, labels: str, *, suffix: str = "") -> None:
    """Mean cross-entropy over the labelled pixels, and the accuracy of the same scores."""
    ignored = {"ignore_label": dataset.ignore_label}
    weighted = {**ignored, "class_weight": dataset.class_weights or None}
    net.layer(f"loss{suffix}", "SoftmaxWithLoss", [scores, labels], loss_param=weighted)
    net.layer(f"accuracy{suffix}", "SegAccuracy", [scores, labels], seg_accuracy_param=ignored)


def mat_write(net: NetBuilder, dataset: Dataset, name: str, scores: str, folder: str) -> None:
    """The scores of each image in a MATLAB file, as DeepLab's CRF programs read them."""
    net.layer(
        name,
        "MatWrite",
        scores,
        (),
        mat_write_param={
            "prefix": f"${{FEATURE_DIR}}/${{TEST_SET}}/{folder}/",
            "source": f"{dataset.exp}/list/${{TEST_SET}}_id.txt",
        },
    )


def silence(net: NetBuilder, blobs: Sequence[str]) -> None:
    """Swallows tops that nothing else reads."""
    net.layer("silence", "Silence", blobs, ())
