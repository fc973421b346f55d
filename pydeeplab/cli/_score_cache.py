"""Scores of a net in files, computed once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pydeeplab.data.images import read_image
from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation.pictures import Picture
from pydeeplab.evaluation.predictors import NetPredictor
from pydeeplab.files import atomic_path, make_folder, write_text
from pydeeplab.formats.npy import NpyError, read_npy
from pydeeplab.json_values import read_object
from pydeeplab.resources import find_net

__all__ = ["cached_scores"]

_NET = "net.json"


def cached_scores(
    net: NetPredictor, pictures: Sequence[Picture], folder: Path, watch: Callable[[str, int, int], None]
) -> tuple[list[Path], str]:
    """The score maps of pictures, in ``folder/<name>.npy``, and whether they are logits or probabilities.

    Files that are there stay, unless they are another net's: ``net.json`` beside them says whose they are. A picture
    that cannot be read has no file.

    Raises
    ------
    UsageError
        The net gives labels only, or the folder has files of others.
    OutputError
        A file cannot be written.
    """
    segmenter = net.segmenter
    if segmenter.channels is None:
        raise UsageError("this net gives labels only (its output is an ArgMax): a CRF needs scores")
    make_folder(folder)
    _claim(folder, net.options)
    files = [folder / f"{picture.name}.npy" for picture in pictures]
    missing = [(p, f) for p, f in zip(pictures, files, strict=True) if not _usable(f)]
    for done, (picture, file) in enumerate(missing):
        watch("computing scores", done, len(missing))
        try:
            scores = segmenter.scores(read_image(picture.image or ""))
        except DataError:
            continue
        make_folder(file.parent)
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, scores)
    if missing:
        watch("computing scores", len(missing), len(missing))
    return files, "probabilities" if segmenter.normalised else "logits"


def _usable(file: Path) -> bool:
    try:
        return read_npy(file).ndim == 3
    except (OSError, NpyError):
        return False


def _claim(folder: Path, options: Mapping[str, Any]) -> None:
    """Make the folder this net's; files of another are removed, but only where ``net.json`` says that we wrote them."""
    identity, mark = _identity(options), folder / _NET
    files = list(folder.rglob("*.npy"))
    if mark.is_file() and read_object(mark) == identity:
        return
    if files and not mark.is_file():
        raise UsageError(
            f"{folder} holds files that are no scores of an earlier search, such as {files[0].name}; they are not "
            "replaced. Name another folder with -o, or give them as --scores"
        )
    for file in files:
        file.unlink()
    write_text(mark, json.dumps(identity, indent=1, sort_keys=True))


def _identity(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the scores depend on: the options, and the state of the files among them."""
    weights = options.get("weights") or ()
    files = [find_net(options["net"]), *([weights] if isinstance(weights, str | Path) else weights)]
    states = [f"{file} {stat.st_size} {stat.st_mtime_ns}" for file in map(Path, files) if (stat := file.stat())]
    return {"files": states} | {k: str(v) for k, v in options.items() if k not in ("classes", "crf", "weights")}
