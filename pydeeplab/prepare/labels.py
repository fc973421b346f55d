"""Making the label map of one picture, or finding that it is there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.data.images import image_size, read_image
from pydeeplab.data.palette import write_label_png
from pydeeplab.errors import DataError, OutputError
from pydeeplab.files import make_folder, write_bytes
from pydeeplab.prepare.plan import VOID, Item

__all__ = ["Job", "Outcome", "run_job"]


@dataclass(frozen=True)
class Job:
    """One picture to prepare.

    Attributes
    ----------
    item : Item
    image : Path
        Its image.
    label : Path, optional
        Where its label map belongs; None if it has none.
    classes : int
        Labels are below it, or 255.
    check : bool
        Write nothing; decode the image too.
    fast : bool
        Trust a finished label map that decodes and has its picture's size; else it is compared with its source.
    copy_of : Path, optional
        The devkit's image, if ``image`` is to be a copy of it.
    """

    item: Item
    image: Path
    label: Path | None = None
    classes: int = VOID
    check: bool = False
    fast: bool = False
    copy_of: Path | None = None


@dataclass
class Outcome:
    """What became of a picture.

    Attributes
    ----------
    state : str
        "written", "remade" (it differed from its source), "kept", "empty" (it does not belong to the data set),
        "image" (it has no labels), "failed"; when checking, "missing" and "different" for what would be written and
        remade.
    problem : str
        Why it failed.
    labels : tuple of int
        The labels that occur in it.
    copied : bool
        Whether its image was copied.
    """

    name: str
    state: str
    problem: str = ""
    labels: tuple[int, ...] = ()
    copied: bool = False


def run_job(job: Job) -> Outcome:
    """Prepare one picture; nothing is raised that a file can cause."""
    try:
        present = _finished(job.label) if job.label else None
        labels = None
        if job.item.source is not None and not (job.fast and present is not None):
            labels = job.item.source.read()
            if labels is None:
                return Outcome(job.item.name, "empty")
        copied = _copy_image(job)
        size = read_image(job.image).shape[:2] if job.check else image_size(job.image, upright=True)
        if job.label is None:
            return Outcome(job.item.name, "image", copied=copied)
        found = present if labels is None else labels
        if found is None:
            raise DataError(f"label map '{job.label}' is missing, and there is nothing to make it from")
        _check_size(found, size, job)
        outcome = Outcome(job.item.name, "kept", labels=_check_values(found, job), copied=copied)
        if labels is None or (present is not None and np.array_equal(present, labels)):
            return outcome
        return replace(outcome, state=_write(job, job.label, labels))
    except DataError as error:
        return Outcome(job.item.name, "failed", str(error))


def _write(job: Job, target: Path, labels: NDArray[Any]) -> str:
    there = target.exists()
    if job.check:
        return "different" if there else "missing"
    make_folder(target.parent)
    write_label_png(target, labels)
    return "remade" if there else "written"


def _finished(target: Path) -> NDArray[Any] | None:
    """The label map that is there, if it is a grey PNG as the nets read it."""
    try:
        with Image.open(target) as picture:
            return np.array(picture) if (picture.format, picture.mode) == ("PNG", "L") else None
    except (OSError, SyntaxError, ValueError):
        return None


def _copy_image(job: Job) -> bool:
    """Copy the devkit's image unless a file of its size is there."""
    if job.copy_of is None or job.check:
        return False
    try:
        if job.image.is_file() and job.image.stat().st_size == job.copy_of.stat().st_size:
            return False
        make_folder(job.image.parent)
        write_bytes(job.image, job.copy_of.read_bytes())
    except OutputError:
        raise
    except OSError as error:
        raise DataError(f"image '{job.copy_of}' cannot be read: {os.strerror(error.errno or 0)}") from None
    return True


def _check_size(labels: NDArray[Any], size: tuple[int, ...], job: Job) -> None:
    if labels.shape == size:
        return
    hint = ""
    if labels.shape == size[::-1]:
        hint = "; the camera turned the picture (its EXIF orientation), the labels are not"
    raise DataError(
        f"labels of '{job.item.name}' are {labels.shape[0]} x {labels.shape[1]} (height x width), its image "
        f"'{job.image}' {size[0]} x {size[1]}{hint}"
    )


def _check_values(labels: NDArray[Any], job: Job) -> tuple[int, ...]:
    """The labels that occur; `DataError` for one that is no class."""
    wrong = (labels >= job.classes) & (labels != VOID)
    if wrong.any() or labels.min(initial=0) < 0:
        wrong |= labels < 0
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"labels of '{job.item.name}': {labels[row, column]} at row {row}, column {column} is neither a class "
            f"(0..{job.classes - 1}) nor {VOID}, the void ({int(wrong.sum())} such pixels)"
        )
    return tuple(np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist())
