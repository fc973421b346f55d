"""What a network of the paper is: its head, where it comes from, how it is trained, what it reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydeeplab.networks import solvers
from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import Dataset

__all__ = ["Expected", "Network", "Scores"]

Scores = Callable[[NetBuilder, Dataset, str], str]
"""Adds trunk and head, given the classifier's name; returns the blob of scores at 1/8 resolution."""

Expected = tuple[str, str] | tuple[str, str, str]
"""Mean IoU in percent before (and after) the CRF, the table that says so, and perhaps a remark."""


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes
    ----------
    folder
        Below the dataset's folder.
    title
        The paper's name for it.
    source
        Where it is described, and whether its text was published or is derived from the paper.
    scores
        Adds trunk and head; returns the blob of scores at 1/8 resolution.
    fields_of_view
        Fields of view of the classifier's filters as the paper counts them (Table 1), in pixels.
    weights
        What training starts from.
    expected
        By dataset folder.
    first_release
        Trained with steps on PASCAL VOC 2012, as in the first release.
    kernel_2
        pool1 to pool4 have 2x2 windows.
    side_heads, multi_scale
        Classifiers on early blobs; inputs at three scales.
    published_classifier
        Name of the classifier of the published weights where it does not carry the experiment's name.
    voc_batch_size
        Batch of a VGG-16 on PASCAL VOC 2012.
    augmented
        Datasets (folders) whose training images are scaled at random.
    """

    folder: str
    title: str
    source: str
    scores: Scores
    fields_of_view: tuple[int, ...]
    weights: str
    expected: Mapping[str, Expected] = field(default_factory=dict)
    first_release: bool = False
    kernel_2: bool = False
    side_heads: bool = False
    multi_scale: bool = False
    published_classifier: str = ""
    voc_batch_size: int = 10
    augmented: tuple[str, ...] = ()

    @property
    def vgg(self) -> bool:
        """Whether the trunk is VGG-16."""
        return self.folder.startswith("vgg16")

    def exists_for(self, dataset: Dataset) -> bool:
        """Whether the paper has it: Cityscapes goes without multi-scale inputs."""
        return not (self.multi_scale and dataset.folder == "cityscapes")

    def classifier(self, dataset: Dataset) -> str:
        """The name of the layer that makes the scores."""
        if self.published_classifier and dataset.folder == "voc12":
            return self.published_classifier
        return f"{'fc8' if self.vgg else 'fc1'}_{dataset.exp}"

    def solver_settings(self, dataset: Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings of the first and the second stage."""
        if not self.vgg:
            return solvers.POLY_RESNET, solvers.POLY_RESNET
        if not (self.first_release and dataset.folder == "voc12"):
            return solvers.POLY_VGG, solvers.POLY_VGG
        if self.side_heads and "largefov" in self.folder:
            return {**solvers.STEP, "average_loss": 10}, {**solvers.STEP_2, "average_loss": 10}
        return solvers.STEP, solvers.STEP_2_4X4 if self.kernel_2 else solvers.STEP_2

    def batch_size(self, dataset: Dataset) -> int:
        """Images of a training batch."""
        if not self.vgg:
            return 1
        return self.voc_batch_size if dataset.folder == "voc12" else 10

    def train_crop(self) -> int:
        """Side of a training crop: 8k+1, or 8k+2 for the 2x2 pools of the first release."""
        return 306 if self.kernel_2 else 321

    def test_crop(self, dataset: Dataset) -> tuple[int, int]:
        """Height and width of a test image."""
        height, width = dataset.test_crop
        return (height + self.kernel_2, width + self.kernel_2)
