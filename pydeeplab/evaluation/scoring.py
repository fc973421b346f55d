"""Scoring pictures: one at a time, and all of a data set."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.data.classes import ClassSet
from pydeeplab.data.images import read_label
from pydeeplab.data.palette import write_label_png
from pydeeplab.errors import DataError, PydeeplabError, UsageError, WeightsError
from pydeeplab.evaluation.confusion import ConfusionMatrix
from pydeeplab.evaluation.pictures import Picture
from pydeeplab.evaluation.trimap import Trimap, border_distance
from pydeeplab.files import make_folder
from pydeeplab.json_values import json_ready

__all__ = ["Evaluation", "PictureScore", "Predictor", "Rules", "score_picture", "unpack_labels"]

Labels = NDArray[Any]


class Predictor(Protocol):
    """Where predicted label maps come from."""

    variants: Sequence[str]
    """Names of the predictions of each picture, such as before and after the CRF."""

    def predict(self, picture: Picture) -> dict[str, Labels]:
        """The (H, W) label maps of a picture, one for each variant."""
        ...


@dataclass(frozen=True)
class Rules:
    """How to score.

    Attributes
    ----------
    classes : ClassSet
        Names, and the colours of RGB label maps.
    count : int
        Number of classes.
    ignore : tuple of int
        True labels that do not count.
    trimap : int
        Largest width of the bands around borders; 0 for none.
    around : {"void", "edges"}
        See `Trimap`.
    keep : bool
        Whether to keep the predicted label maps (packed), for reports.
    save : Path, optional
        Folder for predicted label maps, one folder in it for each variant, with ``_`` for spaces in its name.
    """

    classes: ClassSet
    count: int
    ignore: tuple[int, ...] = (255,)
    trimap: int = 0
    around: str = "void"
    keep: bool = False
    save: Path | None = None


@dataclass
class PictureScore:
    """The counts of one picture by variant, or what went wrong with it."""

    picture: Picture
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    trimaps: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    error: str = ""

    def matrix(self, variant: str) -> ConfusionMatrix:
        """The confusion matrix of this picture alone."""
        matrix = ConfusionMatrix(len(self.counts[variant]), None)
        matrix.merge(self.counts[variant])
        return matrix

    def mean_iou(self, variant: str) -> float:
        """Mean IoU of this picture alone, over the classes that occur in it or are predicted; NaN without any."""
        return self.matrix(variant).mean_iou("skip")


def score_picture(predictor: Predictor, rules: Rules, picture: Picture) -> PictureScore:
    """Predict and count one picture. What is wrong with its files becomes its error; wrong usage or weights raise."""
    score = PictureScore(picture)
    try:
        truth = read_label(picture.truth, rules.classes.palette)
        distance = border_distance(truth, rules.ignore, rules.around) if rules.trimap else None
        for variant, labels in predictor.predict(picture).items():
            _count(score, rules, variant, truth, labels, distance)
    except (UsageError, WeightsError):
        raise
    except (PydeeplabError, OSError, MemoryError) as error:
        return PictureScore(picture, error=str(error) or type(error).__name__)
    return score


def _count(
    score: PictureScore, rules: Rules, variant: str, truth: Labels, labels: Labels, distance: NDArray[np.int32] | None
) -> None:
    matrix = ConfusionMatrix(rules.count, rules.ignore)
    try:
        matrix.update(truth, labels)
        score.counts[variant] = matrix.counts
        if distance is not None:
            trimap = Trimap(rules.count, rules.ignore, rules.trimap, rules.around)
            trimap.update(truth, labels, distance)
            score.trimaps[variant] = trimap.counts
    except DataError as error:
        predicted = score.picture.predicted.get(variant)
        with_what = f" with '{predicted}'" if predicted else ""
        raise DataError(f"'{score.picture.truth}'{with_what}: {error}") from None
    if rules.keep:
        score.labels[variant] = _pack(labels)
    if rules.save is not None:
        target = rules.save / variant.replace(" ", "_") / f"{score.picture.name}.png"
        make_folder(target.parent)
        write_label_png(target, labels, rules.classes.palette)


def _pack(labels: Labels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.int32)).save(stream, "PNG")
    return stream.getvalue()


def unpack_labels(packed: bytes) -> Labels:
    """A label map that `PictureScore` keeps."""
    with Image.open(io.BytesIO(packed)) as picture:
        return np.array(picture)


class Evaluation:
    """The scores of a data set, of one or several variants of predictions.

    Parameters
    ----------
    rules : Rules
    variants : sequence of str
        In the order to show, such as before and after the CRF.

    Examples
    --------
    ::

        evaluation = Evaluation(rules, predictor.variants)
        for picture in pictures:
            evaluation.add(score_picture(predictor, rules, picture))
        print(evaluation.matrices["net"].mean_iou())
    """

    def __init__(self, rules: Rules, variants: Sequence[str]):
        self.rules, self.variants = rules, list(variants)
        self.matrices = {v: ConfusionMatrix(rules.count, rules.ignore) for v in variants}
        self.trimaps = (
            {v: Trimap(rules.count, rules.ignore, rules.trimap, rules.around) for v in variants} if rules.trimap else {}
        )
        self.scores: list[PictureScore] = []
        self.failed: list[PictureScore] = []

    def add(self, score: PictureScore) -> None:
        """Take the counts of one picture, or note that it failed."""
        if score.error:
            self.failed.append(score)
            return
        for variant in self.variants:
            self.matrices[variant].merge(score.counts[variant])
            if self.trimaps:
                self.trimaps[variant].merge(score.trimaps[variant])
        score.trimaps = {}
        self.scores.append(score)

    def merge(self, other: Evaluation) -> None:
        """Add another part of the data set, scored by the same rules."""
        for variant in self.variants:
            self.matrices[variant].merge(other.matrices[variant])
            if self.trimaps:
                self.trimaps[variant].merge(other.trimaps[variant])
        self.scores += other.scores
        self.failed += other.failed

    def sorted_scores(self, variant: str | None = None) -> list[PictureScore]:
        """Scored pictures by falling mean IoU of a variant, the last by default; by name where it is equal."""
        by = variant or self.variants[-1]
        known = {id(s): s.mean_iou(by) for s in self.scores}
        return sorted(self.scores, key=lambda s: (-np.nan_to_num(known[id(s)], nan=-1.0), s.picture.name))

    def sorted_failures(self) -> list[PictureScore]:
        """Pictures that could not be scored, by name."""
        return sorted(self.failed, key=lambda s: s.picture.name)

    def names(self) -> list[str]:
        """Names of the classes."""
        return [self.rules.classes.label(i) for i in range(self.rules.count)]

    def summary(self) -> dict[str, Any]:
        """All scores as JSON can hold them; shares are 0..1."""
        variants = {}
        for variant in self.variants:
            variants[variant] = self.matrices[variant].summary(self.names())
            if self.trimaps:
                variants[variant]["trimap"] = self.trimaps[variant].summary()
        return {
            "pictures": len(self.scores),
            "failed": [{"picture": s.picture.name, "error": s.error} for s in self.sorted_failures()],
            "classes": self.names(),
            "ignore": list(self.rules.ignore),
            "variants": variants,
            "images": [
                {
                    "picture": s.picture.name,
                    "mean_iou": {v: json_ready(s.mean_iou(v)) for v in self.variants},
                    "pixel_accuracy": {v: s.matrix(v).pixel_accuracy() for v in self.variants},
                }
                for s in self.sorted_scores()
            ],
        }
