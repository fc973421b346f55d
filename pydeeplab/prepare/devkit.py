"""Finding the parts of a devkit, and reading its lists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydeeplab.data.lists import read_lines
from pydeeplab.errors import UsageError

__all__ = ["existing_folder", "find_folder", "find_voc", "read_ids"]

PathLike = str | os.PathLike[str]


def existing_folder(path: PathLike, what: str) -> Path:
    """The folder, if it is one; `UsageError` otherwise."""
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError(f"{what} '{folder}' {'is no folder' if folder.exists() else 'does not exist'}")
    return folder


def find_folder(roots: Sequence[Path], below: Sequence[str], needed: Sequence[str]) -> Path | None:
    """The first folder among ``roots``, or ``below`` one of them, that has all that is needed (names or patterns)."""
    candidates = (root / path for root in roots for path in ("", *below))
    return next((c for c in candidates if c.is_dir() and all(any(c.glob(n)) for n in needed)), None)


def find_voc(root: PathLike, year: int, image_sets: str) -> Path:
    """The folder ``VOC<year>`` of a VOC devkit: ``root`` itself, or below it.

    Raises
    ------
    UsageError
        There is none with JPEGImages and the sets.
    """
    base = existing_folder(root, "the devkit")
    below = (f"VOC{year}", f"VOCdevkit/VOC{year}", f"TrainVal/VOCdevkit/VOC{year}")
    found = find_folder([base], below, ("JPEGImages", f"ImageSets/{image_sets}"))
    if found is None:
        raise UsageError(
            f"'{base}' holds no VOC{year} devkit: expected a folder with JPEGImages and ImageSets/{image_sets} in it "
            f"(looked there and in {', '.join(below)})"
        )
    return found


def read_ids(path: Path) -> list[str]:
    """The ids of a devkit's list: the first word of each line, each once.

    Raises
    ------
    DataError
        The list cannot be read or is empty.
    """
    return list(dict.fromkeys(line.split()[0] for _, line in read_lines(path)))
