"""What surrounds a net's scores: where images come from, losses, and what a test net does with the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import MEAN_BGR, Dataset
from pydeeplab.networks.text import Word

__all__ = [
    "IGNORE_LABEL",
    "SCALE_FACTORS",
    "Images",
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


@dataclass(frozen=True)
class Images:
    """The values that a net sees: of ``channels`` (3: BGR, 1: grey), less the ``mean``, times ``scale``."""

    channels: int = 3
    mean: tuple[float, ...] = MEAN_BGR
    scale: float = 1.0

    @property
    def transform(self) -> dict[str, Any]:
        """Fields of a transform_param."""
        return {"mean_value": self.mean, "scale": self.scale if self.scale != 1 else None}

    @property
    def is_color(self) -> bool | None:
        """The field of an image_data_param."""
        return None if self.channels == 3 else False


def train_data(
    net: NetBuilder,
    dataset: Dataset,
    *,
    crop_size: int,
    batch_size: int,
    augment: bool,
    images: Images = Images(),
) -> None:
    """Images and label maps from the list ``<EXP>/list/${TRAIN_SET}.txt``, shuffled, mirrored, cropped at random."""
    net.source(
        "data",
        "ImageSegData",
        ["data", "label"],
        transform_param={
            "mirror": True,
            "crop_size": crop_size,
            **images.transform,
            "scale_factors": SCALE_FACTORS if augment else None,
        },
        image_data_param={
            "source": dataset.source("TRAIN_SET"),
            "batch_size": batch_size,
            "shuffle": True,
            "root_folder": dataset.root,
            "label_type": Word("PIXEL"),
            "ignore_label": _unless_255(dataset),
            "is_color": images.is_color,
        },
    )


def test_data(
    net: NetBuilder,
    dataset: Dataset,
    *,
    crop: tuple[int, int],
    labels: bool,
    images: Images = Images(),  # noqa: PT028
) -> None:
    """One image at a time from ``<EXP>/list/${TEST_SET}.txt``, padded to ``crop``; its real size is ``data_dim``."""
    height, width = crop
    window = {"crop_size": height} if height == width else {"crop_height": height, "crop_width": width}
    net.source(
        "data",
        "ImageSegData",
        ["data", "label", "data_dim"],
        transform_param={**window, **images.transform},
        image_data_param={
            "source": dataset.source("TEST_SET"),
            "batch_size": 1,
            "root_folder": dataset.root,
            "label_type": Word("PIXEL" if labels else "NONE"),
            "ignore_label": _unless_255(dataset),
            "is_color": images.is_color,
        },
    )


def _unless_255(dataset: Dataset) -> int | None:
    return dataset.ignore_label if dataset.ignore_label != IGNORE_LABEL else None


def deploy_data(net: NetBuilder, size: int = 513, channels: int = 3) -> None:
    """An image of mean-subtracted BGR values, written into ``net.blobs['data']``; may be reshaped."""
    net.source("data", "Input", ["data"], input_param={"shape": {"dim": [1, channels, size, size]}})


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
