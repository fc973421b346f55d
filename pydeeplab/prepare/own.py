"""Pictures and masks of one's own."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.images import IMAGE_SUFFIXES
from pydeeplab.errors import DataError, UsageError, counted
from pydeeplab.prepare.devkit import PathLike, existing_folder, read_ids
from pydeeplab.prepare.plan import VOID, Item, Plan, Source, check_list_path
from pydeeplab.prepare.sources import LabelFile, MappedLabelFile

__all__ = ["plan_own"]

_SPLITS = ("train", "val", "test")
_SHOWN = 5


def plan_own(
    root: PathLike,
    images: str = "images",
    masks: str = "masks",
    *,
    name: str | None = None,
    classes: PathLike | None = None,
    mask_suffix: str = "",
    values: Sequence[int] | None = None,
    unknown: int | None = None,
    val_share: float = 0.2,
    seed: int = 0,
) -> Plan:
    """Label maps and lists of a folder of images and one of masks with the same names, folders in them included.

    The sets are those of ``train.txt``, ``val.txt`` and ``test.txt`` (a name per line, without suffix) in ``root``; or
    else of folders ``train``, ``val`` and ``test`` in ``images``; or else the pictures are dealt at random. Pictures of
    ``test`` need no mask.

    Parameters
    ----------
    root
        The folder that the others are in.
    images, masks
        Folders below it, or elsewhere.
    name
        The folder of the lists (``EXP``); by default the name of ``root``.
    classes
        A class set, or a file with a class per line, and its colour where masks are RGB. By default classes are
        numbered.
    mask_suffix
        What follows a picture's name in its mask's: ``_mask`` for ``a.jpg`` and ``a_mask.png``.
    values
        The values of masks that stand for class 0, 1, ...: (0, 255) for masks with two values. Not for RGB masks.
    unknown
        The label of colours that no class has, such as 255; by default they are an error.
    val_share : float
        Share of the pictures that are dealt to ``val``, 0 to 1.
    seed
        Of the dealing.
    """
    base = existing_folder(root, "the folder")
    photos = existing_folder(base / images, "the folder of images")
    truth = existing_folder(base / masks, "the folder of masks")
    exp = name or base.resolve().name
    if exp != Path(exp).name or len(exp.split()) != 1:
        raise UsageError(f"'{exp}' cannot be a folder's name in a prototxt; give another: --name NAME")
    if not 0 <= val_share <= 1:
        raise UsageError(f"val_share must be 0 to 1, got {val_share}")
    known = None if classes is None else class_set(classes)
    make_source = _source_maker(known, values, unknown)
    pictures = _pictures(photos)
    sets = _sets(base, pictures, val_share, seed)
    tested = set(sets.get("test", ())) - {n for s, names in sets.items() if s != "test" for n in names}
    wanted = {n for names in sets.values() for n in names}
    items: dict[str, Item] = {}
    lacking = []
    for picture in sorted(wanted):
        image = check_list_path(f"/images/{pictures[picture]}")
        mask = _mask(truth, f"{picture}{mask_suffix}")
        if mask is not None and picture not in tested:
            items[picture] = Item(picture, image, f"/labels/{picture}.png", make_source(mask))
        elif picture in tested:
            items[picture] = Item(picture, image)
        else:
            lacking.append(picture)
    if lacking:
        shown = ", ".join(lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
        raise DataError(
            f"{len(lacking)} of {counted(len(wanted), 'picture')} have no mask in '{truth}': {shown} (looked for "
            f"{lacking[0]}{mask_suffix}.png). Name pictures that have none in test.txt, or say how masks are called: "
            "--mask-suffix"
        )
    return Plan(exp, items, sets, {"images": photos}, known)


def _pictures(folder: Path) -> dict[str, str]:
    """The pictures of a folder and those in it, sorted: their names without suffix, and with."""
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() not in IMAGE_SUFFIXES or not file.is_file():
            continue
        path = file.relative_to(folder)
        name = path.with_suffix("").as_posix()
        if name in found:
            raise DataError(f"'{folder}' holds both {found[name]} and {path.as_posix()}; rename one")
        found[name] = path.as_posix()
    if not found:
        raise UsageError(f"'{folder}' holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def _mask(folder: Path, name: str) -> Path | None:
    suffixes = (".png", *sorted(IMAGE_SUFFIXES - {".png"}))
    return next((p for p in (folder / f"{name}{s}" for s in suffixes) if p.is_file()), None)


def _sets(base: Path, pictures: Mapping[str, str], val_share: float, seed: int) -> dict[str, list[str]]:
    """The pictures of each set."""
    names = list(pictures)
    files = {split: base / f"{split}.txt" for split in _SPLITS if (base / f"{split}.txt").is_file()}
    if files:
        sets = {split: [_known(name, pictures, file) for name in read_ids(file)] for split, file in files.items()}
    elif all(name.split("/")[0] in _SPLITS and "/" in name for name in names):
        sets = {s: [n for n in names if n.startswith(f"{s}/")] for s in _SPLITS}
    else:
        dealt = random.Random(seed).sample(names, len(names))
        count = round(val_share * len(names))
        sets = {"train": sorted(dealt[count:]), "val": sorted(dealt[:count])}
    sets["trainval"] = sorted({*sets.get("train", ()), *sets.get("val", ())})
    return {split: chosen for split, chosen in sets.items() if chosen}


def _known(word: str, names: Mapping[str, str], file: Path) -> str:
    """A picture as a list names it: with or without suffix and leading slash."""
    name = word.lstrip("/")
    for candidate in (name, os.path.splitext(name)[0]):
        if candidate in names:
            return candidate
    raise DataError(f"{file}: there is no picture '{word}' in the folder of images")


def _source_maker(
    classes: ClassSet | None, values: Sequence[int] | None, unknown: int | None
) -> Callable[[Path], Source]:
    """What reads a mask."""
    if values is None:
        palette = None if classes is None else classes.palette[: len(classes)]
        return lambda path: LabelFile(path, palette, unknown)
    numbers: dict[int, int | None] = {VOID: None}
    numbers |= {value: index for index, value in enumerate(values)}
    if len(set(values)) != len(values) or min(values) < 0 or max(values) > 65535:
        raise UsageError(f"values must be different numbers of 0..65535, got {', '.join(map(str, values))}")
    return lambda path: MappedLabelFile(path, numbers)
