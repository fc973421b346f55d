"""Label maps in PNG files of devkits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_label
from pydeeplab.data.palette import Colours
from pydeeplab.errors import DataError
from pydeeplab.prepare.plan import VOID

__all__ = ["LabelFile", "MappedLabelFile", "translate"]


@dataclass(frozen=True)
class LabelFile:
    """A label map whose values are classes: index or palette PNG, or RGB with ``palette``.

    ``unknown`` is the label of colours that the palette lacks; None makes them an error.
    """

    path: Path
    palette: Colours | None = None
    unknown: int | None = None

    def read(self) -> NDArray[Any]:
        """The labels."""
        return read_label(self.path, self.palette, unknown=self.unknown)


@dataclass(frozen=True)
class MappedLabelFile:
    """A label map whose values stand for classes.

    ``classes`` says which; values in it that are None, such as those of classes that do not count, become 255. Other
    values are an error.
    """

    path: Path
    classes: Mapping[int, int | None]

    def read(self) -> NDArray[np.uint8]:
        """The labels."""
        return translate(read_label(self.path), self.classes, f"label '{self.path}'")


def translate(values: NDArray[Any], classes: Mapping[int, int | None], what: str) -> NDArray[np.uint8]:
    """The class of each value; `DataError` for a value that ``classes`` lacks."""
    highest = max(classes)
    table = np.full(highest + 1, -1, np.int16)
    for value, label in classes.items():
        table[value] = VOID if label is None else label
    labels = np.take(table, values, mode="clip")
    lost = (labels < 0) | (values < 0) | (values > highest)
    if lost.any():
        row, column = np.argwhere(lost)[0]
        raise DataError(
            f"{what}: value {values[row, column]} at row {row}, column {column} stands for no class "
            f"({int(lost.sum())} such pixels)"
        )
    return labels.astype(np.uint8)
