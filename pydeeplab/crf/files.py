"""Finding and reading the score maps and label maps that belong to pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pydeeplab.data.images import IMAGE_SUFFIXES
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats.bin_map import read_bin
from pydeeplab.formats.mat import read_mat, variables
from pydeeplab.formats.npy import Npz, read_npy

__all__ = ["MAP_SUFFIXES", "expand_images", "match_files", "read_maps"]

MAP_SUFFIXES = (".npy", ".npz", ".mat", ".bin")
"""File name endings of score maps."""

PathLike = str | os.PathLike[str]


def expand_images(paths: Iterable[PathLike]) -> list[Path]:
    """The pictures named, and those in the folders named, sorted within each folder.

    Raises
    ------
    UsageError
        A path does not exist, a folder holds no picture, or two pictures have the same name without suffix.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise UsageError(f"folder {path} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"image {path} does not exist")
    seen: dict[str, Path] = {}
    for path in found:
        if path.stem in seen:
            raise UsageError(f"{seen[path.stem]} and {path} would be written to the same file; refine them separately")
        seen[path.stem] = path
    return found


def match_files(images: Sequence[Path], source: PathLike, suffixes: Sequence[str], what: str) -> list[Path]:
    """The file of each picture: ``source`` itself for a single one, else from the folder ``source`` by name.

    A picture ``<id>.jpg`` has the file ``<id><suffix>`` or, as MatWrite writes them, ``<id>_blob_0<suffix>``.

    Raises
    ------
    UsageError
        ``source`` does not exist, is one file for several pictures, or lacks files; all that are missing are counted.
    """
    path = Path(source)
    if path.is_file():
        if len(images) > 1:
            raise UsageError(f"{path} is one file, but there are {len(images)} images; give a folder of {what}")
        return [path]
    if not path.is_dir():
        raise UsageError(f"{what}: {path} does not exist")
    found = [_match(image.stem, path, suffixes) for image in images]
    missing = [image for image, file in zip(images, found, strict=True) if file is None]
    if missing:
        tried = ", ".join(f"{missing[0].stem}{s}" for s in suffixes)
        raise UsageError(
            f"folder {path} has no {what} for {len(missing)} of {len(images)} images, first {missing[0].name} "
            f"(looked for {tried}, also with _blob_0)"
        )
    return [file for file in found if file is not None]


def _match(stem: str, folder: Path, suffixes: Sequence[str]) -> Path | None:
    names = (f"{stem}{end}{suffix}" for end in ("", "_blob_0") for suffix in suffixes)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_maps(path: PathLike, key: str | None = None) -> NDArray[Any]:
    """Read score maps (C, H, W) from .npy, .npz, .mat or .bin; one item of shape (1, C, H, W) is taken too.

    Parameters
    ----------
    path
        The file; the ending says what it is. A .mat is MatWrite's, [W, H, C, 1]; a .bin holds probabilities.
    key
        Array of an .npz or variable of a .mat; not needed if there is one only, or one called ``data``.

    Raises
    ------
    DataError
        The file is missing or damaged, the array is not in it, or has another shape; the message says which.
    """
    source = Path(path)
    if not source.exists():
        raise DataError(f"{source} does not exist")
    try:
        if source.suffix == ".mat":
            maps = read_mat(source, _choose(source, variables(source), key))
        elif source.suffix == ".npz":
            with Npz(source) as arrays:
                maps = arrays[_choose(source, list(arrays), key)]
        elif source.suffix == ".npy":
            maps = read_npy(source)
        elif source.suffix == ".bin":
            maps = read_bin(source)
        else:
            raise DataError(f"{source}: unknown ending '{source.suffix}'; score maps are {', '.join(MAP_SUFFIXES)}")
    except (ValueError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{source} cannot be read as {source.suffix}: {error}") from None
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.ndim != 3:
        raise DataError(f"{source}: score maps have shape (C, H, W) or (1, C, H, W), got {maps.shape}")
    return maps


def _choose(path: Path, names: Sequence[str], key: str | None) -> str:
    if key is not None:
        if key not in names:
            raise DataError(f"{path}: has no array '{key}', only {', '.join(names) or 'none'}")
        return key
    if len(names) == 1:
        return names[0]
    if "data" in names:
        return "data"
    raise DataError(f"{path}: holds {', '.join(names) or 'nothing'}; say which array with its key")
