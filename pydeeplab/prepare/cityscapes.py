"""Cityscapes: fine annotations, whose ids become the 19 classes that are scored."""

from __future__ import annotations

from pathlib import Path

from pydeeplab.data.classes import class_set
from pydeeplab.errors import UsageError
from pydeeplab.prepare.devkit import PathLike, existing_folder, find_folder
from pydeeplab.prepare.plan import Item, Plan, Source
from pydeeplab.prepare.sources import LabelFile, MappedLabelFile

__all__ = ["COUNTS", "TRAIN_IDS", "plan_cityscapes"]

COUNTS = {"train": 2975, "val": 500, "test": 1525, "trainval": 3475}
_IMAGE, _FINE = "_leftImg8bit.png", "_gtFine"
_SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRAIN_IDS: dict[int, int | None] = dict.fromkeys((*range(34), 255)) | {id_: i for i, id_ in enumerate(_SCORED)}
"""The class of each id (road 7 is 0, ..., bicycle 33 is 18); None for ids that are not scored. 255 stands for -1, the
licence plate."""


def plan_cityscapes(root: PathLike, annotations: PathLike | None = None) -> Plan:
    """The label maps gtFine/.../*_gtFine_labelTrainIds.png and lists of Cityscapes.

    Parameters
    ----------
    root
        Folder with leftImg8bit in it.
    annotations
        Folder with gtFine in it; by default the same.
    """
    base = existing_folder(root, "the folder of Cityscapes")
    below = ("cityscapes", "Cityscapes")
    images = find_folder([base], below, ("leftImg8bit",))
    truth = find_folder(
        [existing_folder(annotations, "folder") if annotations else images or base], ("", "..", *below), ("gtFine",)
    )
    if images is None or truth is None:
        lacking = "leftImg8bit" if images is None else "gtFine"
        raise UsageError(f"'{annotations if images and annotations else base}' has no folder {lacking}")
    items: dict[str, Item] = {}
    sets: dict[str, list[str]] = {}
    for split in ("train", "val", "test"):
        found = sorted((images / "leftImg8bit" / split).glob(f"*/*{_IMAGE}"))
        sets[split] = [f.stem for f in found]
        items |= {f.stem: _item(f, split, truth / "gtFine") for f in found}
    if not items:
        raise UsageError(f"'{images / 'leftImg8bit'}' holds no train, val or test/<city>/*{_IMAGE}")
    sets["trainval"] = [*sets["train"], *sets["val"]]
    folders = {"leftImg8bit": images / "leftImg8bit"}
    return Plan("cityscapes", items, {k: v for k, v in sets.items() if v}, folders, class_set("cityscapes"), COUNTS)


def _item(image: Path, split: str, truth: Path) -> Item:
    city, stem = image.parent.name, image.name.removesuffix(_IMAGE)
    path = f"/leftImg8bit/{split}/{city}/{image.name}"
    if split == "test":
        return Item(image.stem, path)
    name = f"{stem}{_FINE}_labelTrainIds.png"
    return Item(image.stem, path, f"/gtFine/{split}/{city}/{name}", _source(truth / split / city, stem))


def _source(folder: Path, stem: str) -> Source:
    """The devkit's ids, or its training ids where only they are there."""
    ids, train_ids = (folder / f"{stem}{_FINE}_{kind}.png" for kind in ("labelIds", "labelTrainIds"))
    return LabelFile(train_ids) if train_ids.is_file() and not ids.is_file() else MappedLabelFile(ids, TRAIN_IDS)
