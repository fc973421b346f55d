"""The four datasets of the paper, as far as a net has to know them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DATASETS", "MEAN_BGR", "Dataset"]

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
    """

    folder: str
    exp: str
    classes: int
    title: str
    content: str
    stage_1: str
    stage_2: str | None
    test_crop: tuple[int, int]


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
