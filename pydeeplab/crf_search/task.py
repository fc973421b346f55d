"""What one process of a search does at a time: one picture, some bilateral kernels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.crf.files import read_maps
from pydeeplab.crf.parameters import CRFParameters
from pydeeplab.crf.sweep import Sweep
from pydeeplab.crf_search.grid import Point
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import voc_palette
from pydeeplab.errors import DataError
from pydeeplab.evaluation.confusion import ConfusionMatrix
from pydeeplab.threads import set_num_threads

__all__ = ["KINDS", "Answer", "Sample", "Setting", "Task", "run_task", "tasks_of"]

KINDS = ("logits", "probabilities", "energies")
"""What score maps can hold."""

Cells = list[tuple[int, int, int]]
"""The cells of a confusion matrix that are not 0: true class, predicted class, pixels."""


@dataclass(frozen=True)
class Sample:
    """A picture to search with: its name, image, score map and true label map."""

    name: str
    image: Path
    scores: Path
    truth: Path

    def state(self) -> str:
        """Sizes and times of change of its files: another text after one of them was changed."""
        return " ".join(map(_state, (self.image, self.scores, self.truth)))


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "none"
    return f"{found.st_size}:{found.st_mtime_ns}"


@dataclass(frozen=True)
class Setting:
    """What all pictures and kernels of a search have in common.

    Attributes
    ----------
    classes : int
        Their number, which is that of the score maps.
    palette : bytes
        Red, green and blue of the classes: explains RGB label maps.
    params : CRFParameters
        The positional kernels, iterations and normalisation.
    ignore : tuple of int
        True labels that do not count.
    kind : str
        One of `KINDS`.
    key : str, optional
        Array of an .npz or variable of a .mat.
    threads : int
        Threads of each process.
    """

    classes: int
    palette: bytes = voc_palette().tobytes()
    params: CRFParameters = field(default_factory=CRFParameters)
    ignore: tuple[int, ...] = (255,)
    kind: str = "logits"
    key: str | None = None
    threads: int = 1


@dataclass(frozen=True)
class Task:
    """A picture, and the weights to try with each bilateral kernel (deviations in pixels and grey levels).

    Without kernels the scores are counted as they are.
    """

    sample: Sample
    kernels: tuple[tuple[tuple[float, float], tuple[float, ...]], ...] = ()


@dataclass(frozen=True)
class Answer:
    """The counts of one picture for each point (None: without CRF), or what is wrong with it."""

    name: str
    cells: tuple[tuple[Point | None, Cells], ...] = ()
    error: str = ""


def tasks_of(sample: Sample, points: Iterable[Point]) -> list[Task]:
    """Tasks for some points, one for each deviation in pixels: large enough to pay for reading the files."""
    grouped: dict[float, dict[float, list[float]]] = {}
    for w, xy, rgb in points:
        grouped.setdefault(xy, {}).setdefault(rgb, []).append(w)
    return [
        Task(sample, tuple(((xy, rgb), tuple(weights)) for rgb, weights in kernels.items()))
        for xy, kernels in grouped.items()
    ]


def run_task(setting: Setting, task: Task) -> Answer:
    """Refine and count; what is wrong with the picture's files becomes the answer's error."""
    set_num_threads(setting.threads)
    sample = task.sample
    try:
        image, scores, truth = _read(setting, sample, sample.state())
        unary = {"probabilities": scores} if setting.kind == "probabilities" else {"scores": scores}
        sweep = _sweep(setting.params)
        if not task.kernels:
            sweep.check(image, **unary)
            return Answer(sample.name, ((None, _count(setting, truth, scores.argmax(axis=0))),))
        labels = sweep.labels(task.kernels, image, **unary)
        return Answer(sample.name, tuple(((w, xy, rgb), _count(setting, truth, map_)) for w, xy, rgb, map_ in labels))
    except DataError as error:
        return Answer(sample.name, error=f"{sample.name}: {error}")


@lru_cache(maxsize=1)
def _sweep(params: CRFParameters) -> Sweep:
    """One for each process: its memory serves all pictures."""
    return Sweep(params)


@lru_cache(maxsize=1)
def _read(setting: Setting, sample: Sample, _: str) -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[Any]]:
    """Image, scores of its size (larger is likelier) and true labels; kept for the picture's next task."""
    palette = np.frombuffer(setting.palette, np.uint8).reshape(-1, 3)
    image, truth = read_image(sample.image), read_label(sample.truth, palette)
    scores = read_maps(sample.scores, setting.key)
    height, width = image.shape[:2]
    if truth.shape != (height, width):
        raise DataError(f"label map '{sample.truth}' has shape {truth.shape}, image '{sample.image}' {(height, width)}")
    if len(scores) != setting.classes or scores.shape[1] < height or scores.shape[2] < width:
        raise DataError(
            f"'{sample.scores}' has shape {scores.shape}; expected {setting.classes} classes (--classes) of at "
            f"least {height} x {width} (height x width)"
        )
    scores = scores[:, :height, :width]
    return image, -scores if setting.kind == "energies" else scores, truth


def _count(setting: Setting, truth: NDArray[Any], labels: NDArray[Any]) -> Cells:
    matrix = ConfusionMatrix(setting.classes, setting.ignore)
    matrix.update(truth, labels)
    return [(int(t), int(p), int(matrix.counts[t, p])) for t, p in np.argwhere(matrix.counts)]
