"""Which pictures to score: from list files, or from folders and a file of ids."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydeeplab.data.images import IMAGE_SUFFIXES
from pydeeplab.data.lists import read_lines
from pydeeplab.errors import DataError, UsageError

__all__ = ["Picture", "find_file", "pictures_of_folders", "pictures_of_list"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Picture:
    """A picture to score: its name, its true label map, and where known the image itself."""

    name: str
    truth: Path
    image: Path | None = None
    predicted: dict[str, Path] = field(default_factory=dict)


def _below(root: PathLike, path: str) -> Path:
    """A path of a list below its root folder; public lists begin theirs with a slash."""
    return Path(root) / path.lstrip("/") if os.fspath(root) else Path(path)


def pictures_of_list(path: PathLike, root: PathLike = "") -> list[Picture]:
    """The pictures of a list file with an image and a label map per line, as Caffe's ImageSegData reads them.

    A picture's name is its image's without folder and suffix, or with the folder where names would be equal.

    Raises
    ------
    DataError
        The list cannot be read, is empty, or a line has no label map.
    """
    pairs = []
    for number, line in read_lines(path):
        words = line.split()
        if len(words) != 2:
            raise DataError(
                f"{os.fspath(path)}:{number}: expected an image and a label map, got '{line}'. "
                "A list of names goes with folders: --ids, --truth and --images."
            )
        pairs.append((words[0], words[1]))
    stems = [Path(image).stem for image, _ in pairs]
    once = len(set(stems)) == len(stems)
    names = stems if once else [Path(image.lstrip("/")).with_suffix("").as_posix() for image, _ in pairs]
    _check_names(names, path)
    return [
        Picture(name, _below(root, truth), _below(root, image))
        for name, (image, truth) in zip(names, pairs, strict=True)
    ]


def pictures_of_folders(truth: PathLike, ids: PathLike | None = None, images: PathLike | None = None) -> list[Picture]:
    """The pictures whose true label maps lie in a folder: those of a file of ids, or all.

    Raises
    ------
    UsageError
        The folder does not exist or is empty.
    DataError
        The file of ids cannot be read or is empty.
    """
    folder = Path(truth)
    if not folder.is_dir():
        raise UsageError(f"the folder of true label maps '{folder}' does not exist")
    if ids is None:
        names = sorted(f.stem for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
        if not names:
            raise UsageError(f"folder '{folder}' holds no label maps")
    else:
        names = [line for _, line in read_lines(ids, "file of ids")]
    _check_names(names, truth if ids is None else ids)
    return [
        Picture(name, find_file(folder, name), None if images is None else find_file(images, name)) for name in names
    ]


def _check_names(names: Iterable[str], where: PathLike) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"picture '{name}' occurs twice in '{os.fspath(where)}'; each may be scored once")
        seen.add(name)


def find_file(folder: PathLike, name: str) -> Path:
    """The picture file of that name in a folder, whatever its format; NAME.png if there is none."""
    base = Path(folder)
    candidates = [".png", *sorted(IMAGE_SUFFIXES - {".png"})]
    found = (base / f"{name}{suffix}" for suffix in candidates)
    return next((f for f in found if f.is_file()), base / f"{name}.png")
