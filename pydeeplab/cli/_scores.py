"""Scores as text."""

from __future__ import annotations

import numpy as np

from pydeeplab.cli._tables import format_table
from pydeeplab.errors import counted
from pydeeplab.evaluation.scoring import Evaluation

__all__ = ["score_lines"]


def _per_cent(share: float) -> str:
    return f"{100 * share:.2f}" if np.isfinite(share) else "-"


def score_lines(evaluation: Evaluation, *, colours: bool = False) -> list[str]:
    """Two tables, of the classes and of the means, a column for each variant, in per cent; and what to note."""
    matrices = [evaluation.matrices[v] for v in evaluation.variants]
    names, absent = evaluation.names(), matrices[0].absent()
    several = len(matrices) > 1
    header = ["class", "pixels", *(f"IoU {v}" for v in evaluation.variants), *["change"] * several]
    header += [f"accuracy {v}" for v in evaluation.variants] if several else ["accuracy"]
    rows = []
    for index in np.flatnonzero(matrices[0].scored()).tolist():
        ious = [float(m.iou()[index]) for m in matrices]
        change = [f"{100 * (ious[-1] - ious[0]):+.2f}"] * several
        accuracies = [_per_cent(m.class_accuracy()[index]) for m in matrices]
        pixels = str(int(matrices[0].counts[index].sum()))
        rows.append([names[index], pixels, *map(_per_cent, ious), *change, *accuracies])
    lines = format_table(header, rows, right=range(1, len(header)), colours=colours)
    means = {
        "mean IoU": [m.mean_iou() for m in matrices],
        "mean IoU of classes that occur": [m.mean_iou("untrue") for m in matrices] if absent else [],
        "pixel accuracy": [m.pixel_accuracy() for m in matrices],
        "mean class accuracy": [m.mean_class_accuracy() for m in matrices],
        "frequency-weighted IoU": [m.frequency_weighted_iou() for m in matrices],
    }
    rows = [[name, *map(_per_cent, values)] for name, values in means.items() if values]
    right = range(1, len(matrices) + 1)
    lines += ["", *format_table(["per cent", *evaluation.variants], rows, right=right, colours=colours)]
    lines += ["", f"{counted(len(evaluation.scores), 'picture')}, {int(matrices[0].counts.sum())} pixels"]
    if absent:
        nowhere = ", ".join(names[i] for i in absent)
        lines.append(f"without a true pixel: {nowhere}; they count in the mean IoU, with 0 where never predicted")
    return lines
