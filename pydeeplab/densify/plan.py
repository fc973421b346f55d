"""What has been decided about a dense net, before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.densify.grid import Grid
from pydeeplab.densify.head import Head
from pydeeplab.densify.pace import Step
from pydeeplab.densify.subject import Subject
from pydeeplab.densify.thinning import Converted
from pydeeplab.networks import heads
from pydeeplab.networks.datasets import Dataset

__all__ = ["Arrays", "Plan", "Source"]

Arrays = Sequence[NDArray[np.float32]]
MULTI_SCALE = 4
"""Inputs at 3/4 of a size of ``stride * k + 1`` want k to be a multiple of this."""


@dataclass(frozen=True)
class Source:
    """Where the parameters of a layer of the dense net come from.

    Attributes
    ----------
    how : str
        "kept", "reshaped", "decimated" or "new".
    layer : str
        The classification net's; empty for new ones.
    window : (int, int) or None
        What a fully connected layer covered.
    arrays : sequence of ndarray
        Empty where there are none: new layers, and those that the weight file lacks.
    """

    how: str
    layer: str = ""
    shape: tuple[int, ...] = ()
    window: tuple[int, int] | None = None
    arrays: Arrays = field(default=(), repr=False)


@dataclass
class Plan:
    """Everything that has been decided about a dense net; `write_net` writes it down.

    Attributes
    ----------
    steps, layers
        The trunk: what becomes of each layer, and its message with the window that it has in the dense net.
    converted
        The hidden fully connected layers.
    stride, rate
        Output stride; the rate that makes up for the strides taken out, on the last map.
    images
        What its images hold.
    average
        Put an average pooling before a thinned 3x3 window, as DeepLab-LargeFOV has it (pool5a).
    """

    subject: Subject
    dataset: Dataset
    head: Head
    steps: list[Step]
    layers: list[Any]
    converted: list[Converted]
    grid: Grid
    stride: int
    rate: tuple[int, int]
    images: heads.Images
    multi_scale: bool = False
    average: bool = False

    @property
    def classifier(self) -> str:
        """The name of the scores' blob."""
        return f"{self.subject.classifier.name}_{self.dataset.exp}"

    @property
    def scores(self) -> str:
        """The blob of a deploy net with the scores at full resolution."""
        coarse = "fc_fusion" if self.multi_scale else self.classifier
        return coarse if self.stride == 1 else f"{self.subject.classifier.name}_interp"

    @cached_property
    def step(self) -> int:
        """Images must be this many pixels times k, plus 1."""
        return self.stride * (MULTI_SCALE if self.multi_scale else 1)

    def size(self, near: int) -> int:
        """A suitable size close to this one."""
        return max(1, round((near - 1) / self.step)) * self.step + 1

    def crop(self) -> tuple[int, int]:
        """Height and width of a test image: at least those of the dataset."""
        height, width = (-(-(n - 1) // self.step) * self.step + 1 for n in self.dataset.test_crop)
        return height, width
