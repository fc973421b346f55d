"""The four datasets of the paper, and CamVid, as far as a net has to know them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CAMVID", "DATASETS", "MEAN_BGR", "Dataset"]

MEAN_BGR = (104.008, 116.669, 122.675)
"""Mean pixel that the ImageNet nets were trained with: blue, green, red, of 0..255."""


@dataclass(frozen=True)
class Dataset:
    """What the nets of a dataset have in common.

    Attributes
    ----------
    folder
        Below prototxt/.
    exp
        DeepLab's experiment name ``EXP``: the classifier layers and the folder of lists carry it.
    classes
        Channels of the scores, background included where the dataset has one.
    title, content
        For comments.
    stage_1, stage_2
        ``TRAIN_SET`` of each stage; no second stage when None.
    test_crop
        Height and width of a test image after padding, 8k+1 each, at least as large as every image.
    ignore_label
        Label of pixels that do not count.
    class_weights
        Weights of the classes in the loss; all the same when empty.
    own_lists
        The dataset comes with lists, in its folder, whose paths do not begin with a slash.
    """

    folder: str
    exp: str
    classes: int
    title: str
    content: str
    stage_1: str
    stage_2: str | None
    test_crop: tuple[int, int]
    ignore_label: int = 255
    class_weights: tuple[float, ...] = ()
    own_lists: bool = False

    def source(self, name: str) -> str:
        """The list whose name the placeholder ``name`` stands for."""
        folder = "${DATA_ROOT}" if self.own_lists else f"{self.exp}/list"
        return f"{folder}/${{{name}}}.txt"

    @property
    def root(self) -> str:
        """What is put before the paths of a list."""
        return "${DATA_ROOT}/" if self.own_lists else "${DATA_ROOT}"


DATASETS = (
    Dataset(
        "voc12", "voc12", 21, "PASCAL VOC 2012", "background and 20 objects", "train_aug", "trainval_aug", (513, 513)
    ),
    Dataset(
        "pascal_context", "pascal_context", 60, "PASCAL-Context", "background and 59 classes", "train", None, (513, 513)
    ),
    Dataset("person_part", "voc10_part", 7, "PASCAL-Person-Part", "background and 6 parts", "train", None, (513, 513)),
    Dataset("cityscapes", "cityscapes", 19, "Cityscapes", "19 classes, no background", "train", None, (1025, 2049)),
)

CAMVID = Dataset(
    "camvid",
    "camvid",
    11,
    "CamVid",
    "those of SegNet, no background",
    "train",
    None,
    (361, 481),
    ignore_label=11,
    class_weights=(0.51, 0.43, 2.14, 0.38, 0.95, 0.62, 3.11, 1.36, 0.83, 2.5, 2.71),
    own_lists=True,
)
"""Not of the paper: small enough to train on without a GPU.

The weights are square roots of SegNet's (median frequency over frequency), which keep poles, signs and people from
being drowned by roads and buildings.
"""
