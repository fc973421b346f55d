"""What is to be prepared: the pictures of a data set, where their labels come from, and its sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from pydeeplab.data.classes import ClassSet
from pydeeplab.errors import DataError

__all__ = ["VOID", "Item", "Plan", "Source", "check_list_path"]

VOID = 255
"""Label of pixels that do not count."""


class Source(Protocol):
    """Where the labels of one picture come from; it is sent to other processes."""

    def read(self) -> NDArray[Any] | None:
        """The (H, W) labels, 0..C-1 or 255; None if the picture does not belong to the data set."""
        ...


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes
    ----------
    name : str
        Its id, as in the lists of ids.
    image, label : str
        Paths below the data root, which begin with a slash, as in the lists; ``label`` is None without labels.
    source : Source, optional
        Where the labels come from.
    """

    name: str
    image: str
    label: str | None = None
    source: Source | None = None


@dataclass
class Plan:
    """A data set before it is prepared.

    Attributes
    ----------
    exp : str
        DeepLab's ``EXP``: the folder that the nets expect the lists in.
    items : dict of str to Item
        All pictures by name.
    sets : dict of str to list of str
        Names of the pictures of each set, in the order of the list.
    folders : dict of str to Path
        Folders below the data root, and what they are links to (or copies of).
    classes : ClassSet, optional
        None: the classes are those that the labels have.
    expected : mapping of str to int
        Published sizes of the sets.
    notes : list of str
        What the user should know.
    without : str
        What pictures lack that do not belong to the data set, in the plural.
    """

    exp: str
    items: dict[str, Item]
    sets: dict[str, list[str]]
    folders: dict[str, Path]
    classes: ClassSet | None
    expected: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    without: str = "labels"

    def add_differences(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Add ``<set>_diff_<strong>``, the weakly labelled pictures: those of exactly one of two sets, sorted."""
        for weak, strong in pairs:
            if weak in self.sets and strong in self.sets:
                self.sets[f"{weak}_diff_{strong}"] = sorted(set(self.sets[weak]) ^ set(self.sets[strong]))


def check_list_path(path: str) -> str:
    """A path as lists can hold it; `DataError` if it is no UTF-8, or white space would cut it in two."""
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise DataError(f"{path!r} has a name that is no UTF-8, which list files cannot hold; rename it")
    if len(path.split()) != 1:
        raise DataError(f"'{path}' has white space in its name, which list files cannot hold; rename it")
    return path
