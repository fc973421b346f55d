"""Pictures in rows: image, truth, and results before and after the CRF (the paper's figures 6, 8, 9, 11 to 14)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.drawing import overlay
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import colorize
from pydeeplab.errors import DataError, UsageError, counted, did_you_mean
from pydeeplab.evaluation.scoring import Evaluation, PictureScore, unpack_labels
from pydeeplab.figures.figure import GAP, INK, Figure, beside, photo, stacked, titled
from pydeeplab.plotting.layout import Box, Part, Picture, Text, text_width

__all__ = ["CHOICES", "choose", "failures_figure", "panels_figure"]

CHOICES = ("spread", "best", "worst", "improved", "first")
"""Which pictures to show: evenly from best to worst, the best, the worst, those improved most, the first by name."""


def _change(evaluation: Evaluation, score: PictureScore) -> float:
    """Mean IoU of the last result less that of the first."""
    first, last = evaluation.variants[0], evaluation.variants[-1]
    return float(np.nan_to_num(score.mean_iou(last) - score.mean_iou(first)))


def choose(evaluation: Evaluation, count: int, how: str, names: Sequence[str] = ()) -> list[PictureScore]:
    """Pictures to show: those named, or ``count`` by one of `CHOICES`."""
    if names:
        known = {score.picture.name: score for score in evaluation.scores}
        for name in names:
            if name not in known:
                raise UsageError(f"no picture '{name}' was scored.{did_you_mean(name, known)}")
        return [known[name] for name in names]
    ranked = evaluation.sorted_scores()
    if how == "first":
        ranked.sort(key=lambda score: score.picture.name)
    elif how == "worst":
        ranked.reverse()
    elif how == "improved":
        ranked.sort(key=lambda score: (-_change(evaluation, score), score.picture.name))
    elif how == "spread" and len(ranked) > count > 1:
        ranked = [ranked[round(i * (len(ranked) - 1) / (count - 1))] for i in range(count)]
    return ranked[:count]


class _Row:
    """One picture's image, truth and results, read; and the classes that occur in them."""

    def __init__(self, evaluation: Evaluation, score: PictureScore):
        self.palette, self.classes = evaluation.rules.classes.palette, evaluation.rules.classes
        self.image = None if score.picture.image is None else read_image(score.picture.image)
        self.truth = read_label(score.picture.truth, self.palette)
        self.labels = {v: unpack_labels(score.labels[v]) for v in evaluation.variants}
        self.seen = {int(v) for labels in (self.truth, *self.labels.values()) for v in np.unique(labels)}

    def shown(self, labels: NDArray[Any], mixed: bool) -> NDArray[np.uint8]:
        """A label map in its colours, alone or over the image."""
        if not mixed or self.image is None:
            return colorize(labels, self.palette)
        background = self.classes.background
        return overlay(self.image, labels, self.palette, 0.65, clear=() if background is None else (background,))


def _per_cent(share: float) -> str:
    return "no IoU" if not np.isfinite(share) else f"IoU {100 * share:.1f} %"


def _row(score: PictureScore, row: _Row, width: int, mixed: bool, titles: bool) -> Picture:
    cells: list[Picture] = []
    name = score.picture.name
    if row.image is not None:
        cells.append(titled(photo(row.image, width), "image" if titles else "", [name]))
    truth = photo(row.shown(row.truth, mixed), width, lossy=mixed)
    cells.append(titled(truth, "truth" if titles else "", [""] if cells else [name]))
    before: float | None = None
    for variant, labels in row.labels.items():
        iou = score.mean_iou(variant)
        change = "" if before is None else f" ({100 * (iou - before):+.1f})"
        result = photo(row.shown(labels, mixed), width, lossy=mixed)
        cells.append(titled(result, variant if titles else "", [_per_cent(iou) + change]))
        before = iou
    return beside(cells)


def _legend(evaluation: Evaluation, seen: Sequence[int], width: int) -> Picture:
    """The colours of the classes that occur, in rows."""
    classes, ignored = evaluation.rules.classes, evaluation.rules.ignore
    parts: list[Part] = []
    x, y = 0.0, 0.0
    for index in seen:
        name = "ignored" if index in ignored else classes.label(index)
        needed = 22 + text_width(name) + 18
        if x and x + needed > width:
            x, y = 0.0, y + 21
        colour = "#{:02x}{:02x}{:02x}".format(*classes.palette[index % len(classes.palette)].tolist())
        parts.append(Box(x, y, 15, 15, fill=colour, line="#999999", line_width=0.8))
        parts.append(Text(x + 21, y + 12.5, name, colour=INK))
        x += needed
    height = round(y + 20)
    return Picture(width, height, (0, 0, width, height), parts)


def _rows(evaluation: Evaluation, scores: Sequence[PictureScore], width: int, mixed: bool) -> Picture:
    """All rows, one under the other, over a legend."""
    if not scores:
        raise DataError("no picture was scored: there is nothing to show")
    read = [_Row(evaluation, score) for score in scores]
    rows = [
        _row(score, row, width, mixed, not number) for number, (score, row) in enumerate(zip(scores, read, strict=True))
    ]
    body = stacked(rows, GAP // 2)
    seen = sorted(set().union(*(row.seen for row in read)))
    return stacked([body, _legend(evaluation, seen, body.width)])


def _summary(evaluation: Evaluation) -> str:
    """Mean IoU of all pictures, result by result."""
    words = [f"{v} {100 * evaluation.matrices[v].mean_iou():.1f} %" for v in evaluation.variants]
    absent = len(evaluation.matrices[evaluation.variants[0]].absent())
    zeros = f", 0 for {'a class' if absent == 1 else f'{absent} classes'} without a true pixel" if absent else ""
    return f"Mean IoU over all {counted(len(evaluation.scores), 'picture')}{zeros}: {', '.join(words)}."


def panels_figure(
    evaluation: Evaluation,
    *,
    count: int = 4,
    how: str = "spread",
    names: Sequence[str] = (),
    width: int = 240,
    mixed: bool = False,
    note: str = "",
) -> Figure:
    """Rows of image, truth and results.

    Parameters
    ----------
    evaluation : Evaluation
        Made with rules that keep label maps.
    count, how, names
        Which pictures: see `choose`.
    width : int
        Of each picture.
    mixed : bool
        Lay label maps over the image.
    note : str
        What to say about how the results were made.
    """
    scores = choose(evaluation, count, how, names)
    words = {
        "spread": "chosen evenly from the best to the worst",
        "best": "those with the largest mean IoU",
        "worst": "those with the smallest mean IoU",
        "improved": f"those that {evaluation.variants[-1]} improves most",
        "first": "the first by name",
    }
    shown = "named by hand" if names else words[how]
    caption = (
        f"{counted(len(scores), 'picture')} of {len(evaluation.scores)}, {shown}. Under each result the mean IoU of "
        "the picture over its classes, and the change from the result to its left in points. "
        f"{_summary(evaluation)} {note}"
    )
    return Figure(
        "panels",
        "Images, truth and results",
        caption.strip(),
        _rows(evaluation, scores, width, mixed),
        _table(evaluation),
    )


def failures_figure(
    evaluation: Evaluation, *, count: int = 4, width: int = 240, mixed: bool = False, note: str = ""
) -> Figure:
    """The pictures that the last result makes worst compared with the first, the largest drop first (figure 14).

    Raises
    ------
    UsageError
        There is only one result.
    """
    if len(evaluation.variants) < 2:
        raise UsageError("failures compare two results: name two --predicted, or give a net with --crf")
    first, last = evaluation.variants[0], evaluation.variants[-1]
    drops = sorted(evaluation.scores, key=lambda score: (_change(evaluation, score), score.picture.name))
    worse = [score for score in drops if _change(evaluation, score) < 0]
    shown = worse[:count] or drops[:1]
    caption = (
        f"The largest drops of mean IoU from {first} to {last}, the worst first; {len(worse)} of "
        f"{counted(len(drops), 'picture')} {'loses' if len(worse) == 1 else 'lose'}, the others gain or stay."
        if worse
        else f"Of {counted(len(drops), 'picture')} none loses mean IoU from {first} to {last}; this one gains least."
    )
    caption = f"{caption} {_summary(evaluation)} {note}"
    picture = _rows(evaluation, shown, width, mixed)
    return Figure("failures", f"Failures: from {first} to {last}", caption.strip(), picture, _table(evaluation, drops))


def _table(evaluation: Evaluation, order: Sequence[PictureScore] | None = None) -> str:
    """Mean IoU of all pictures as CSV, in per cent."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["picture", *(f"mean IoU, {v} (%)" for v in evaluation.variants), "change (points)"])
    for score in evaluation.sorted_scores() if order is None else order:
        ious = [f"{100 * score.mean_iou(v):.4f}" for v in evaluation.variants]
        writer.writerow([score.picture.name, *ious, f"{100 * _change(evaluation, score):.4f}"])
    return stream.getvalue()
