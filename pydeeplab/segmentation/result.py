"""What segmenting a picture gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.drawing import add_legend, overlay
from pydeeplab.data.palette import colorize, write_label_png

__all__ = ["Segmentation"]


@dataclass(frozen=True, repr=False)
class Segmentation:
    """Labels of a picture's pixels.

    Attributes
    ----------
    labels : (H, W) uint8 (int32 for more than 256 classes)
        The class with the largest probability, the first of equals.
    probabilities : (C, H, W) float32, or None
        Per class, summing to 1 over the classes; None where they were not asked for or the net gives labels only.
    classes : ClassSet
        Names and colours.
    notes : tuple of str
        What was done to the picture that one may want to know: tiles, enlarged scores.
    """

    labels: NDArray[Any]
    probabilities: NDArray[np.float32] | None
    classes: ClassSet = field(default_factory=lambda: class_set("voc12"))
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        height, width = self.labels.shape
        given = "labels only" if self.probabilities is None else f"probabilities of {len(self.probabilities)} classes"
        return f"<Segmentation {height} x {width}, {given}>"

    def counts(self) -> dict[int, int]:
        """Number of pixels of each class that occurs, by class number."""
        values, counts = np.unique(self.labels, return_counts=True)
        return {int(v): int(c) for v, c in zip(values, counts, strict=True)}

    def shares(self) -> dict[str, float]:
        """Share of the picture of each class that occurs, by name, largest first."""
        counts = sorted(self.counts().items(), key=lambda item: -item[1])
        return {self.classes.label(index): count / self.labels.size for index, count in counts}

    def save(self, path: str | os.PathLike[str], *, palette: bool = True) -> None:
        """Write the labels as an index PNG, atomically: with the classes' colours, or as plain grey values."""
        write_label_png(path, self.labels, self.classes.palette if palette else None)

    def colors(self) -> NDArray[np.uint8]:
        """The labels in the classes' colours, (H, W, 3) RGB."""
        return colorize(self.labels, self.classes.palette)

    def overlay(self, image: NDArray[np.uint8], alpha: float = 0.6, *, legend: bool = True) -> NDArray[np.uint8]:
        """The picture under the classes' colours, with a legend of the classes that occur below it.

        A background class is left clear, and not in the legend unless it is alone.
        """
        background = self.classes.background
        clear = () if background is None else (background,)
        picture = overlay(image, self.labels, self.classes.palette, alpha, clear=clear)
        if not legend:
            return picture
        counts = sorted(self.counts().items(), key=lambda item: -item[1])
        shown = [(i, c) for i, c in counts if i not in clear] or counts
        entries = [(self.classes.label(i), _percent(c / self.labels.size), self.classes.palette[i]) for i, c in shown]
        return add_legend(picture, entries)


def _percent(share: float) -> str:
    """``0.123`` as ``12 %``, small shares with a decimal."""
    if share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"
