"""PASCAL-Person-Part: the pictures of VOC 2010 with persons, whose parts are merged to six."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.classes import class_set
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats.mat_tree import MatFields, open_mat
from pydeeplab.prepare.devkit import PathLike, existing_folder, find_folder, find_voc, read_ids
from pydeeplab.prepare.plan import Item, Plan, Source
from pydeeplab.prepare.sources import LabelFile

__all__ = ["COUNTS", "PARTS", "PartFile", "plan_person_part"]

COUNTS = {"train": 1716, "val": 1817, "trainval": 3533}
_LABELS = "SegmentationPart"
_PLACES = ("Annotations_Part", "trainval/Annotations_Part", "pascal_person_part_gt", "pascal_person_part/gt", "")
_PERSON = 15

_MERGED = {
    1: "head leye reye lear rear lebrow rebrow nose mouth hair",
    2: "torso neck",
    3: "luarm ruarm",
    4: "llarm rlarm lhand rhand",
    5: "luleg ruleg",
    6: "llleg rlleg lfoot rfoot",
}
PARTS = {part: label for label, parts in _MERGED.items() for part in parts.split()}
"""The label of each annotated part of persons: head, torso, upper arms, lower arms, upper legs, lower legs."""


@dataclass(frozen=True)
class PartFile:
    """An ``Annotations_Part/<id>.mat``: struct anno, its objects, and the parts of those that are persons."""

    path: Path

    def read(self) -> NDArray[np.uint8] | None:
        """The labels; later persons and parts cover earlier ones. None if no part of a person is in the picture."""
        variables = open_mat(self.path)
        if "anno" not in variables:
            raise DataError(f"{self.path}: has no variable 'anno', only {', '.join(variables) or 'none'}")
        labels: NDArray[np.uint8] | None = None
        for item in variables["anno"]["objects"].elements():
            if item["class"].text() != "person" or item["class_ind"].number() != _PERSON:
                continue
            for part in item["parts"].elements():
                labels = self._add(labels, part)
        return labels if labels is not None and labels.any() else None

    def _add(self, labels: NDArray[np.uint8] | None, part: MatFields) -> NDArray[np.uint8]:
        name, mask = part["part_name"].text(), part["mask"].array()
        if name not in PARTS:
            raise DataError(
                f"{self.path}: {part['part_name'].place}: '{name}' is no part of a person; known are {', '.join(PARTS)}"
            )
        if labels is None:
            labels = np.zeros(mask.shape, np.uint8)
        if mask.ndim != 2 or mask.shape != labels.shape:
            raise DataError(f"{self.path}: {part['mask'].place} has shape {mask.shape}, others {labels.shape}")
        labels[mask != 0] = PARTS[name]
        return labels


def plan_person_part(root: PathLike, annotations: PathLike | None = None) -> Plan:
    """The label maps SegmentationPart and lists of PASCAL-Person-Part, six parts and background.

    Parameters
    ----------
    root
        VOC2010, or a folder that it is in.
    annotations
        Annotations_Part with its .mat files, or a folder with merged label maps as PNGs; by default looked for in and
        beside the devkit.
    """
    voc = find_voc(root, 2010, "Main")
    bases = [voc, voc.parent, voc.parent.parent]
    if annotations is None:
        folder = find_folder(bases, _PLACES[:-1], ("20*.mat",)) or find_folder(bases, _PLACES[:-1], ("20*.png",))
    else:
        given = [existing_folder(annotations, "the folder of annotations")]
        folder = find_folder(given, _PLACES, ("*.mat",)) or find_folder(given, _PLACES, ("*.png",))
    if folder is None:
        raise UsageError(
            f"the annotations of parts (Annotations_Part/<id>.mat) were not found in "
            f"{annotations or ', '.join(map(str, bases))}; say where they are: --annotations DIR"
        )
    merged = not any(folder.glob("*.mat"))
    sets = {name: read_ids(voc / "ImageSets" / "Main" / f"{name}.txt") for name in ("train", "val")}
    if merged:
        sets = {name: [n for n in names if (folder / f"{n}.png").is_file()] for name, names in sets.items()}
    sets["trainval"] = sorted({*sets["train"], *sets["val"]})

    def source(name: str) -> Source:
        return LabelFile(folder / f"{name}.png") if merged else PartFile(folder / f"{name}.mat")

    items = {n: Item(n, f"/JPEGImages/{n}.jpg", f"/{_LABELS}/{n}.png", source(n)) for n in sets["trainval"]}
    folders = {"JPEGImages": voc / "JPEGImages"}
    return Plan("voc10_part", items, sets, folders, class_set("person_part"), COUNTS, without="parts of persons")
