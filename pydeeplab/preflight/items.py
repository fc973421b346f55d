"""Checking one line of a list: do its files decode, and which values are in its label map?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.data.images import image_size, read_image, read_label
from pydeeplab.data.lists import ListEntry
from pydeeplab.errors import DataError
from pydeeplab.preflight.palettes import explain_colours
from pydeeplab.workers import ending

__all__ = ["ItemCheck", "Job", "check_item", "check_items"]


@dataclass(frozen=True)
class Job:
    """One line to check. ``deep`` decodes the files; otherwise only their headers are read."""

    entry: ListEntry
    has_map: bool
    is_color: bool = True
    deep: bool = True


@dataclass
class ItemCheck:
    """What one line's files are.

    Attributes
    ----------
    entry : ListEntry
    size : (height, width) or None
        Of the image as the data layer sees it.
    counts : dict
        Pixels of each value of the label map.
    first : dict
        (row, column) of each value's first pixel.
    indexed : bool
        Whether the label is a palette PNG.
    digest : bytes
        Of the image file's contents; empty where only headers were read.
    problem : str
        Why a file cannot be used; empty when all is well.
    topic : {"image", "label"}
        Which of the two ``problem`` is about.
    """

    entry: ListEntry
    size: tuple[int, int] | None = None
    counts: dict[int, int] = field(default_factory=dict)
    first: dict[int, tuple[int, int]] = field(default_factory=dict)
    indexed: bool = False
    digest: bytes = b""
    problem: str = ""
    topic: str = "image"


def check_item(job: Job) -> ItemCheck:
    """Read the files of one line; nothing is raised that a file can cause."""
    found = ItemCheck(job.entry)
    try:
        _check_image(job, found)
        if job.has_map and job.entry.label is not None:
            found.topic = "label"
            _check_map(job, found, job.entry.label)
    except DataError as error:
        found.problem = str(error)
    return found


def _check_image(job: Job, found: ItemCheck) -> None:
    path = job.entry.image
    if not job.deep:
        found.size = image_size(path)
        return
    height, width = read_image(path, gray=not job.is_color).shape[:2]
    found.size = height, width
    found.digest = hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest()


def _check_map(job: Job, found: ItemCheck, path: str) -> None:
    if not job.deep:
        size = image_size(path)
    else:
        try:
            labels = read_label(path)
        except DataError as error:
            raise DataError(f"{error}{explain_colours(path)}") from None
        found.indexed = _is_indexed(path)
        found.counts, found.first = _values(labels)
        size = labels.shape[0], labels.shape[1]
    if size != found.size:
        assert found.size is not None
        expected, got = (f"{height} x {width}" for height, width in (found.size, size))
        raise DataError(f"label '{path}' is {got} (height x width), its image '{job.entry.image}' {expected}")


def _is_indexed(path: str) -> bool:
    with Image.open(path) as picture:
        return picture.mode == "P"


def _values(labels: NDArray[Any]) -> tuple[dict[int, int], dict[int, tuple[int, int]]]:
    """How often each value occurs, and where first."""
    flat = labels.reshape(-1)
    if labels.dtype == np.uint8:
        counts = np.bincount(flat, minlength=256)
        present = np.flatnonzero(counts).tolist()
        numbers = {value: int(counts[value]) for value in present}
    else:
        values, amounts = np.unique(flat, return_counts=True)
        numbers = dict(zip(values.tolist(), amounts.tolist(), strict=True))
    first = {value: divmod(int((flat == value).argmax()), labels.shape[1]) for value in numbers}
    return numbers, first


def check_items(jobs: Sequence[Job], workers: int, watch: Callable[[int], None]) -> list[ItemCheck]:
    """Check many lines in ``workers`` threads: decoding, which takes the time, leaves Python's lock to the others.

    ``watch`` hears how many are done.
    """
    results: list[ItemCheck] = []
    with ending(ThreadPoolExecutor(max(1, workers), thread_name_prefix="pydeeplab-check")) as pool:
        for answer in pool.map(check_item, jobs):
            results.append(answer)
            watch(len(results))
    return results
