"""PASCAL-Context: VOC 2010 with all of its pixels in 459 classes, of which the 59 most frequent count."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.lists import read_lines
from pydeeplab.errors import DataError, UsageError, did_you_mean
from pydeeplab.formats.mat_tree import open_mat
from pydeeplab.prepare.devkit import PathLike, existing_folder, find_folder, find_voc, read_ids
from pydeeplab.prepare.plan import Item, Plan
from pydeeplab.prepare.sources import translate

__all__ = ["COUNTS", "ContextFile", "class_of_numbers", "plan_pascal_context", "read_numbered"]

COUNTS = {"train": 4998, "val": 5105, "trainval": 10103}
_LABELS = "SegmentationClassContext"
_PLACES = ("", "context", "PASCAL-Context", "pascal-context", "pascal_context", "SegmentationContext")
_OTHER_NAMES = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
"""Names in the list of 59 (59_labels.txt) and what labels.txt calls the same class."""


@dataclass(frozen=True)
class ContextFile:
    """A ``trainval/<id>.mat``: LabelMap, numbers of labels.txt, and the class that each stands for."""

    path: Path
    classes: Mapping[int, int | None]

    def read(self) -> NDArray[np.uint8]:
        """The labels; what is none of the 59 classes is background."""
        variables = open_mat(self.path)
        if "LabelMap" not in variables:
            raise DataError(f"{self.path}: has no variable 'LabelMap', only {', '.join(variables) or 'none'}")
        node = variables["LabelMap"]
        values = node.array()
        if values.ndim != 2 or (values != np.floor(values)).any():
            raise DataError(f"{self.path}: {node.place} must hold the numbers of labels.txt, got {node.kind}")
        return translate(values.astype(np.int64), self.classes, f"{self.path}: LabelMap")


def _plain(name: str) -> str:
    letters = "".join(c for c in name.lower() if c.isalnum())
    return _OTHER_NAMES.get(letters, letters)


def read_numbered(path: PathLike) -> dict[int, str]:
    """The names of a file with ``number: name`` per line, by number; `DataError` for other lines."""
    names: dict[int, str] = {}
    for number, line in read_lines(path, "label file"):
        left, colon, right = line.partition(":")
        if not colon or not left.strip().isdecimal() or not right.strip() or int(left) in names:
            raise DataError(f"{path}:{number}: expected 'number: name', each number once, got '{line}'")
        names[int(left)] = right.strip()
    return names


def class_of_numbers(path: PathLike, classes: ClassSet) -> dict[int, int | None]:
    """Which class each number of labels.txt stands for; 0 (the background) where it is none of them.

    Raises
    ------
    DataError
        The file is no such list, or lacks a class.
    """
    numbers = read_numbered(path)
    by_name = {_plain(name): number for number, name in numbers.items()}
    found: dict[int, int | None] = dict.fromkeys((0, *numbers), 0)
    for index, name in enumerate(classes.names):
        if index == 0:
            continue
        if _plain(name) not in by_name:
            raise DataError(f"{path}: has no label '{name}'.{did_you_mean(_plain(name), by_name)}")
        found[by_name[_plain(name)]] = index
    return found


def _classes(order: PathLike | None) -> ClassSet:
    """The background and 59 classes, in alphabetical order or that of a file like 59_labels.txt."""
    known = class_set("pascal_context")
    if order is None:
        return known
    names = [name for _, name in sorted(read_numbered(order).items())]
    given, expected = {_plain(n) for n in names}, {_plain(n) for n in known.names[1:]}
    if given != expected or len(names) != len(expected):
        odd = sorted(given ^ expected)
        raise DataError(f"{order}: expected the 59 classes of PASCAL-Context, each once; not so: {', '.join(odd)}")
    return dataclasses.replace(known, names=(known.names[0], *names))


def plan_pascal_context(
    root: PathLike, annotations: PathLike | None = None, class_order: PathLike | None = None
) -> Plan:
    """The label maps SegmentationClassContext and lists of PASCAL-Context, 59 classes and background.

    Parameters
    ----------
    root
        VOC2010, or a folder that it is in.
    annotations
        Folder with labels.txt and the .mat files (in trainval); by default it is looked for in and beside the devkit.
    class_order
        A file with ``number: name`` per line, such as the devkit's 59_labels.txt, whose order the classes get; by
        default they are in alphabetical order.
    """
    voc = find_voc(root, 2010, "Main")
    bases = [voc, voc.parent, voc.parent.parent] if annotations is None else [existing_folder(annotations, "folder")]
    base = find_folder(bases, _PLACES, ("labels.txt",))
    if base is None:
        raise UsageError(
            f"labels.txt of PASCAL-Context was not found in {', '.join(map(str, bases))}; say where it and the .mat "
            "files are: --annotations DIR"
        )
    folder = base / "trainval" if (base / "trainval").is_dir() else base
    classes = _classes(class_order)
    numbers = class_of_numbers(base / "labels.txt", classes)
    sets = {name: read_ids(voc / "ImageSets" / "Main" / f"{name}.txt") for name in ("train", "val")}
    sets["trainval"] = sorted({*sets["train"], *sets["val"]})
    items = {
        name: Item(
            name, f"/JPEGImages/{name}.jpg", f"/{_LABELS}/{name}.png", ContextFile(folder / f"{name}.mat", numbers)
        )
        for name in sets["trainval"]
    }
    return Plan("pascal_context", items, sets, {"JPEGImages": voc / "JPEGImages"}, classes, COUNTS)
