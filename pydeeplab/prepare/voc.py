"""PASCAL VOC 2012, with the annotations of the Semantic Boundaries Dataset where VOC has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pydeeplab.data.classes import class_set
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats.mat_tree import open_mat
from pydeeplab.prepare.devkit import PathLike, existing_folder, find_folder, find_voc, read_ids
from pydeeplab.prepare.plan import Item, Plan, Source
from pydeeplab.prepare.sources import LabelFile

__all__ = ["COUNTS", "SbdFile", "plan_voc12"]

COUNTS = {
    "train": 1464,
    "train_aug": 10582,
    "val": 1449,
    "trainval": 2913,
    "trainval_aug": 12031,
    "test": 1456,
    "train_aug_diff_train": 9118,
    "trainval_aug_diff_train": 10567,
}
_LABELS = "SegmentationClassAug"
_SBD_PLACES = ("dataset", "benchmark_RELEASE/dataset", "SBD", "SBD/dataset", "sbd", "sbd/dataset")


@dataclass(frozen=True)
class SbdFile:
    """A ``cls/<id>.mat`` of SBD: struct GTcls, field Segmentation, class numbers without void."""

    path: Path

    def read(self) -> NDArray[Any]:
        """The labels."""
        variables = open_mat(self.path)
        if "GTcls" not in variables:
            raise DataError(
                f"{self.path}: has no variable 'GTcls', only {', '.join(variables) or 'none'}; SBD's class labels are "
                "the files of its folder cls"
            )
        node = variables["GTcls"]["Segmentation"]
        labels = node.array()
        if labels.ndim != 2 or labels.dtype.kind not in "iu":
            raise DataError(f"{self.path}: {node.place} must hold class numbers, got {node.kind} ({labels.dtype})")
        return labels


def _find_sbd(root: Path, given: PathLike | None) -> Path | None:
    """SBD's folder with cls in it; near the devkit if the user does not say."""
    if given is not None:
        base = existing_folder(given, "SBD's folder")
        found = find_folder([base], _SBD_PLACES, ("cls",))
        if found is None:
            raise UsageError(f"'{base}' is no SBD: expected a folder cls with .mat files in it, or in dataset below it")
        return found
    return find_folder([root, root.parent, root.parent.parent], _SBD_PLACES, ("cls/*.mat",))


def plan_voc12(root: PathLike, annotations: PathLike | None = None) -> Plan:
    """The label maps SegmentationClassAug and lists of PASCAL VOC 2012.

    Parameters
    ----------
    root
        VOC2012, or a folder that it (or VOCdevkit/VOC2012) is in.
    annotations
        SBD: benchmark_RELEASE, its folder dataset, or one that holds it. By default it is looked for beside the devkit;
        without it there are no ``train_aug`` and ``trainval_aug``.
    """
    voc = find_voc(root, 2012, "Segmentation")
    sbd = _find_sbd(voc, annotations)
    lists = voc / "ImageSets" / "Segmentation"
    sets = {name: read_ids(lists / f"{name}.txt") for name in ("train", "val")}
    sets["trainval"] = sorted({*sets["train"], *sets["val"]})
    notes = []
    augmented: list[str] = sorted(f.stem for f in (sbd / "cls").glob("*.mat")) if sbd else []
    if augmented:
        sets["train_aug"] = sorted({*augmented, *sets["train"]} - set(sets["val"]))
        sets["trainval_aug"] = sorted({*augmented, *sets["trainval"]})
    else:
        notes.append("no SBD was found (--annotations DIR): there are no train_aug and trainval_aug")
    if (lists / "test.txt").is_file():
        sets["test"] = read_ids(lists / "test.txt")
    else:
        notes.append(f"{lists / 'test.txt'} does not exist (it comes with VOC's test images): there is no list test")
    tested = set(sets.get("test", ()))
    ids = sorted({name for names in sets.values() for name in names})
    items = {n: Item(n, f"/JPEGImages/{n}.jpg") for n in ids if n in tested}
    items |= {
        n: Item(n, f"/JPEGImages/{n}.jpg", f"/{_LABELS}/{n}.png", _source(n, voc, sbd)) for n in ids if n not in tested
    }
    plan = Plan("voc12", items, sets, {"JPEGImages": voc / "JPEGImages"}, class_set("voc12"), COUNTS, notes)
    plan.add_differences([("train_aug", "train"), ("trainval_aug", "train")])
    return plan


def _source(name: str, voc: Path, sbd: Path | None) -> Source:
    """VOC's own annotation where there is one."""
    own = voc / "SegmentationClass" / f"{name}.png"
    if sbd is None or own.is_file():
        return LabelFile(own)
    other = sbd / "cls" / f"{name}.mat"
    return SbdFile(other) if other.is_file() else LabelFile(own)
