"""Scores near object borders, of several results in one plot (the paper's figure 10)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import colorize
from pydeeplab.errors import PydeeplabError, counted
from pydeeplab.evaluation.scoring import Evaluation, PictureScore
from pydeeplab.evaluation.trimap import border_distance
from pydeeplab.figures.figure import Figure, beside, photo, stacked, titled
from pydeeplab.plotting import Chart, Series, to_csv
from pydeeplab.plotting.layout import Picture, lay_out

__all__ = ["trimap_charts", "trimap_examples", "trimap_figure"]

_SHOWN = (2, 10)
_LARGEST = (375, 500)
_GREY, _ORANGE = (190, 190, 190), (213, 94, 0)


def trimap_charts(evaluation: Evaluation) -> tuple[Chart, Chart]:
    """Mean IoU and pixel accuracy against the width of the band, a line for each result."""
    iou, accuracy = [], []
    for name, trimap in evaluation.trimaps.items():
        marks = len(trimap.widths) <= 15
        iou.append(Series(name, trimap.widths, 100 * trimap.mean_iou(), marks=marks))
        accuracy.append(Series(name, trimap.widths, 100 * trimap.pixel_accuracy(), marks=marks))
    width = "trimap width (pixels)"
    return Chart("", width, "mean IoU (%)", iou), Chart("", width, "pixel accuracy (%)", accuracy)


def _band(truth: NDArray[Any], distance: NDArray[np.int32], width: int, colours: NDArray[np.uint8]) -> Any:
    """The truth's colours inside the band, grey elsewhere, void pixels orange."""
    shown = np.full((*truth.shape, 3), _GREY, np.uint8)
    inside = (distance > 0) & (distance <= width)
    shown[inside] = colours[inside]
    shown[distance == 0] = _ORANGE
    return shown


def _busiest(distance: NDArray[np.int32]) -> tuple[slice, slice]:
    """The part of a picture, no larger than `_LARGEST`, with most pixels near borders; all of it if it is small."""
    near = np.pad((distance > 0) & (distance <= _SHOWN[-1]), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    height, width = (min(side, most) for side, most in zip(distance.shape, _LARGEST, strict=True))
    counts = near[height:, width:] - near[:-height, width:] - near[height:, :-width] + near[:-height, :-width]
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    return slice(int(row), int(row) + height), slice(int(column), int(column) + width)


def trimap_examples(evaluation: Evaluation, score: PictureScore, width: int = 190) -> Picture | None:
    """An image, its truth, and what of it lies in bands of 2 and of 10 pixels; None if its files cannot be read.

    Of large pictures the part with most borders.
    """
    rules = evaluation.rules
    try:
        truth = read_label(score.picture.truth, rules.classes.palette)
        image = None if score.picture.image is None else read_image(score.picture.image)
    except (PydeeplabError, OSError):
        return None
    distance = border_distance(truth, rules.ignore, rules.around)
    if image is not None and image.shape[:2] != truth.shape:
        image = None
    part = _busiest(distance)
    truth, distance = truth[part], distance[part]
    colours = colorize(truth, rules.classes.palette)
    shown = [titled(photo(image[part], width), "image")] if image is not None else []
    shown.append(titled(photo(colours, width, lossy=False), "truth"))
    for band in _SHOWN:
        pixels = _band(truth, distance, band, colours)
        shown.append(titled(photo(pixels, width, lossy=False), f"trimap of {counted(band, 'pixel')}"))
    return stacked([beside(shown[i : i + 2]) for i in range(0, len(shown), 2)])


def trimap_figure(evaluation: Evaluation) -> Figure:
    """Bands around borders on an example, and the scores in bands of growing width."""
    charts = trimap_charts(evaluation)
    plots = beside([lay_out(chart, 430, 400) for chart in charts])
    median = evaluation.sorted_scores()[len(evaluation.scores) // 2]
    examples = trimap_examples(evaluation, median)
    around = "pixels with the void label" if evaluation.rules.around == "void" else "borders between classes"
    widest = len(next(iter(evaluation.trimaps.values())).widths)
    caption = (
        f"Mean IoU and pixel accuracy of the pixels no further than 1 to {widest} pixels (the larger of rows and "
        f"columns) from {around}, over {counted(len(evaluation.scores), 'picture')}. Classes that neither occur nor "
        "are predicted in a band do not count in its mean."
    )
    if examples is not None:
        caption = (
            f"Left: '{median.picture.name}', at most {_LARGEST[1]} x {_LARGEST[0]} pixels of it, and what of its truth "
            "is scored in two bands; grey is left out, orange are "
            f"the pixels without a label. Right: {caption[0].lower()}{caption[1:]}"
        )
    table = "\n".join(f"# {chart.y_label}\n{to_csv(chart)}" for chart in charts)
    picture = plots if examples is None else beside([examples, plots], 24)
    return Figure("trimap", "Scores near object borders", caption, picture, table)
