"""The demo's page: what was done and how to do it by hand, curves of the training, and the report of the scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import colorize
from pydeeplab.evaluation.report import MeanFieldMaps, write_report
from pydeeplab.evaluation.scoring import Evaluation, unpack_labels
from pydeeplab.evaluation.sheet import contact_sheet
from pydeeplab.plotting import Chart, Series, TrainingLog, to_svg
from pydeeplab.web_page import command_block

__all__ = ["Step", "score_sheet", "training_charts", "write_page"]


@dataclass(frozen=True)
class Step:
    """Something that the demo did: in words, as a command that does it again, and how long it took, if it was done."""

    text: str
    command: str
    seconds: float | None = None
    cpu_seconds: float | None = None

    @property
    def time(self) -> str:
        """``12 s (23 s of processor time)``, or nothing."""
        if self.seconds is None:
            return ""
        return f"{self.seconds:.0f} s ({self.cpu_seconds:.0f} s of processor time)"


def training_charts(log: TrainingLog) -> list[Chart]:
    """Loss, learning rate and scores on held-out scenes over the iterations."""
    raw = log.train.get("loss", {})
    losses = [
        Series("of one batch", list(raw), list(raw.values()), faint=True, colour="#0072b2"),
        Series("averaged", list(log.loss), list(log.loss.values()), colour="#0072b2"),
    ]
    names = {"accuracy[2]": "mean IoU", "accuracy[1]": "mean class accuracy", "accuracy[0]": "pixel accuracy"}
    scores = [
        Series(name, list(log.test[key]), [100 * v for v in log.test[key].values()], marks=True)
        for key, name in names.items()
        if key in log.test
    ]
    charts = [
        Chart("loss", "iteration", "cross-entropy", losses, y_low=0),
        Chart("learning rate", "iteration", "learning rate", [Series("lr", list(log.lr), list(log.lr.values()))]),
        Chart("held-out scenes, before the CRF", "iteration", "per cent", scores, y_low=0, y_high=100),
    ]
    return [chart for chart in charts if any(len(series.x) for series in chart.series)]


def score_sheet(evaluation: Evaluation, count: int) -> NDArray[np.uint8]:
    """Pictures, truths and predictions side by side, of the first pictures by name."""
    palette = evaluation.rules.classes.palette
    ignore = list(evaluation.rules.ignore)
    rows, captions = [], []
    for score in sorted(evaluation.scores, key=lambda s: s.picture.name)[:count]:
        truth = read_label(score.picture.truth, palette)
        row, line = [read_image(score.picture.image or ""), colorize(truth, palette)], ["", ""]
        for variant in evaluation.variants:
            labels = unpack_labels(score.labels[variant])
            wrong = (labels != truth)[~np.isin(truth, ignore)].mean()
            row.append(colorize(labels, palette))
            line.append(f"{100 * wrong:.1f} % of pixels wrong")
        rows.append(row)
        captions.append(line)
    return contact_sheet(rows, ["picture", "truth", *evaluation.variants], captions)


def _steps(steps: Sequence[Step], note: str) -> str:
    parts = [f"<p>{escape(note)}</p>"]
    for number, step in enumerate(steps, 1):
        time = f' <span class="soft">{step.time}</span>' if step.time else ""
        parts.append(f"<p>{number}. {escape(step.text)}{time}</p>{command_block(step.command)}")
    return "".join(parts)


def _training(log: TrainingLog) -> str:
    charts = "".join(to_svg(chart, 520, 340) for chart in training_charts(log))
    return f'<div class="charts">{charts}</div>'


def write_page(
    path: str | os.PathLike[str],
    evaluation: Evaluation,
    *,
    title: str,
    note: str,
    steps: Sequence[Step],
    log: TrainingLog | None,
    maps: Sequence[MeanFieldMaps],
    settings: dict[str, str],
) -> None:
    """Write the page, one HTML file with all pictures in it.

    Parameters
    ----------
    path
        Where to.
    evaluation
        Whose rules keep label maps.
    title, note
        Heading, and what was done in a few sentences.
    steps
        In the order in which they were done.
    log
        Of the training, where there was one.
    maps
        Of mean-field iterations.
    settings
        What to say beside the number of pictures.
    """
    sections = [("steps", "What was done", _steps(steps, note))]
    if log is not None:
        sections.append(("training", "Training", _training(log)))
    write_report(Path(path), evaluation, title=title, settings=settings, panels=4, maps=maps, before=sections)
