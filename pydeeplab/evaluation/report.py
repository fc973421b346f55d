"""An HTML report of an evaluation: one file that needs no network and no scripts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_image, read_label
from pydeeplab.errors import PydeeplabError, counted
from pydeeplab.evaluation.matrix_svg import confusion_svg
from pydeeplab.evaluation.scoring import Evaluation, PictureScore, unpack_labels
from pydeeplab.evaluation.thumbnails import heat, label_uri, photo_uri
from pydeeplab.files import write_text
from pydeeplab.plotting import Chart, Series, to_svg
from pydeeplab.web_page import web_page

__all__ = ["MeanFieldMaps", "build_report", "trimap_chart", "write_report"]

Section = tuple[str, str, str]
"""Anchor, title and HTML."""

_WIDTH = 340
_SMALL = 170
_MOST_LISTED = 5000


@dataclass(frozen=True)
class MeanFieldMaps:
    """Score and belief maps of one class of one picture, (H, W), before and after each mean-field iteration."""

    name: str
    class_name: str
    image: NDArray[np.uint8]
    truth: NDArray[Any]
    scores: Sequence[NDArray[np.float32]]
    beliefs: Sequence[NDArray[np.float32]]


def trimap_chart(evaluation: Evaluation) -> Chart:
    """Mean IoU against the width of the band around borders, a line for each variant."""
    series = [Series(v, t.widths, 100 * t.mean_iou()) for v, t in evaluation.trimaps.items()]
    return Chart("", "trimap width (pixels)", "mean IoU (%)", series)


def write_report(path: str | os.PathLike[str], evaluation: Evaluation, **options: Any) -> None:
    """Write `build_report`'s text atomically."""
    write_text(path, build_report(evaluation, **options))


def build_report(
    evaluation: Evaluation,
    *,
    title: str = "Evaluation",
    settings: Mapping[str, str] | None = None,
    panels: int = 6,
    maps: Sequence[MeanFieldMaps] = (),
    before: Sequence[Section] = (),
) -> str:
    """One HTML page: scores, classes, confusion, trimaps, pictures with truth and predictions, mean-field maps.

    Parameters
    ----------
    evaluation : Evaluation
        Made with rules that keep label maps; without them the pictures are left out.
    settings : mapping, optional
        What to say about how it was made.
    panels : int
        Number of best, worst and most changed pictures to show.
    maps : sequence of MeanFieldMaps
        For a section of its own.
    before : sequence of (anchor, title, HTML)
        Sections to come first.

    Returns
    -------
    str
        HTML with all pictures in it, reduced.
    """
    sections: list[Section] = [*before]
    sections += [("scores", "Scores", _classes(evaluation)), ("confusion", "Confusion", _confusion(evaluation))]
    if evaluation.trimaps:
        sections.append(("trimap", "Near borders", _trimap(evaluation)))
    if evaluation.scores and all(s.labels for s in evaluation.scores) and panels > 0:
        sections.append(("pictures", "Pictures", _pictures(evaluation, panels)))
    if maps:
        sections.append(("mean-field", "Mean-field iterations", _mean_field(evaluation, maps)))
    sections.append(("all", "All pictures", _all_pictures(evaluation)))
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name, _ in sections)
    body = "".join(f'<h2 id="{key}">{name}</h2>\n{text}\n' for key, name, text in sections)
    head = f"<h1>{escape(title)}</h1>{_settings(evaluation, settings or {})}<nav>{links}</nav>\n"
    return web_page(title, f"{head}{_cards(evaluation)}\n{body}")


def _per_cent(share: float, digits: int = 2) -> str:
    return "&ndash;" if not np.isfinite(share) else f"{100 * share:.{digits}f}"


def _change(before: float, after: float) -> str:
    if not np.isfinite(before) or not np.isfinite(after):
        return ""
    difference = 100 * (after - before)
    style = "up" if difference > 0.005 else "down" if difference < -0.005 else "soft"
    return f'<span class="{style}">{difference:+.2f}</span>'


def _settings(evaluation: Evaluation, settings: Mapping[str, str]) -> str:
    ignored = ", ".join(map(str, evaluation.rules.ignore)) or "none"
    pictures = f"{counted(len(evaluation.scores), 'picture')} scored"
    if evaluation.failed:
        pictures += f', <span class="error">{len(evaluation.failed)} could not be</span>'
    lines = [f"{escape(name)}: {escape(value)}" for name, value in settings.items()]
    return f'<p class="soft">{" &middot; ".join([pictures, f"ignored labels: {ignored}", *lines])}</p>'


def _cards(evaluation: Evaluation) -> str:
    first = evaluation.matrices[evaluation.variants[0]]
    cards = []
    for variant in evaluation.variants:
        matrix = evaluation.matrices[variant]
        change = "" if matrix is first else _change(first.mean_iou(), matrix.mean_iou())
        cards.append(
            f'<div class="card">mean IoU, {escape(variant)}<br><b>{_per_cent(matrix.mean_iou())} %</b>{change}'
            f'<span class="soft">pixel accuracy {_per_cent(matrix.pixel_accuracy())} %</span></div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _row(cells: Sequence[str], style: str = "") -> str:
    first, *rest = cells
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in rest)
    return f"<tr{style}><td>{first}</td>{numbers}</tr>"


def _header(cells: Sequence[str]) -> str:
    first, *rest = (escape(cell) for cell in cells)
    return f"<tr><th>{first}</th>{''.join(f'<th class=n>{cell}</th>' for cell in rest)}</tr>"


def _classes(evaluation: Evaluation) -> str:
    matrices = [evaluation.matrices[v] for v in evaluation.variants]
    names, palette = evaluation.names(), evaluation.rules.classes.palette
    pairs = len(matrices) > 1
    rows = [_header(["class", "share of pixels", *(f"IoU, {v}" for v in evaluation.variants), *(["change"] * pairs)])]
    total = max(int(matrices[0].counts.sum()), 1)
    for index in np.flatnonzero(matrices[0].scored()).tolist():
        ious = [float(m.iou()[index]) for m in matrices]
        swatch = f'<span class="swatch" style="background:rgb{tuple(palette[index % 256].tolist())}"></span>'
        cells = [swatch + escape(names[index]), _per_cent(matrices[0].counts[index].sum() / total)]
        cells += [_per_cent(iou) + _bar(iou) for iou in ious]
        rows.append(_row(cells + [_change(ious[0], ious[-1])] * pairs))
    lines = {
        "mean IoU (VOC devkit)": [m.mean_iou() for m in matrices],
        "mean IoU of classes that occur": [m.mean_iou("untrue") for m in matrices],
        "pixel accuracy": [m.pixel_accuracy() for m in matrices],
        "mean class accuracy": [m.mean_class_accuracy() for m in matrices],
        "frequency-weighted IoU": [m.frequency_weighted_iou() for m in matrices],
    }
    for number, (name, values) in enumerate(lines.items()):
        cells = [name, "", *(_per_cent(v) for v in values), *([_change(values[0], values[-1])] * pairs)]
        rows.append(_row(cells, "" if number else ' class="sum"'))
    absent = [names[i] for i in matrices[0].absent()]
    note = "All numbers in per cent, over the pixels of all pictures together."
    if absent:
        note += (
            f" No true pixel has {escape(', '.join(absent))}: by the devkit's rule these classes have an IoU of 0 and "
            "count in the mean."
        )
    return f'<p class="soft">{note}</p><div class="wide"><table>{"".join(rows)}</table></div>'


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{100 * min(max(share, 0), 1):.1f}%"></i></span>'


def _confusion(evaluation: Evaluation) -> str:
    pictures = "".join(
        f"<div><h3>{escape(v)}</h3>{confusion_svg(evaluation.matrices[v], evaluation.names())}</div>"
        for v in evaluation.variants
    )
    note = "Where the pixels of each true class (rows) went, in per cent of the class."
    return f'<p class="soft">{note}</p><div class="matrices">{pictures}</div>'


def _trimap(evaluation: Evaluation) -> str:
    around = "void borders" if evaluation.rules.around == "void" else "borders between classes"
    note = f"Mean IoU of the pixels within a distance of the {around}; classes without pixels there are left out."
    return f'<p class="soft">{note}</p>{to_svg(trimap_chart(evaluation), 720, 400)}'


def _pictures(evaluation: Evaluation, count: int) -> str:
    scores = evaluation.sorted_scores()
    groups = [("Best", scores[:count]), ("Worst", scores[::-1][:count])]
    if len(scores) <= count:
        groups = [("From best to worst", scores)]
    elif len(evaluation.variants) > 1:
        first, last = evaluation.variants[0], evaluation.variants[-1]
        changed = sorted(scores, key=lambda s: -abs(np.nan_to_num(s.mean_iou(last) - s.mean_iou(first))))
        groups.append((f"Largest change from {first} to {last}", changed[:count]))
    texts, used = [], set()
    for name, group in groups:
        strips = []
        for score in group:
            strip, labels = _strip(evaluation, score)
            strips.append(strip)
            used |= labels
        texts.append(f"<h3>{escape(name)}</h3>{''.join(strips)}")
    return _legend(evaluation, sorted(used)) + "".join(texts)


def _legend(evaluation: Evaluation, labels: Sequence[int]) -> str:
    classes = evaluation.rules.classes
    entries = (
        f'<span><span class="swatch" style="background:rgb{tuple(classes.palette[i].tolist())}"></span>'
        f"{escape('ignored' if i in evaluation.rules.ignore else classes.label(i))}</span> "
        for i in labels
        if i < len(classes.palette)
    )
    return f'<p class="legend">{"".join(entries)}</p>'


def _figure(uri: str, caption: str) -> str:
    return f'<figure><img src="{uri}" alt=""><figcaption>{caption}</figcaption></figure>'


def _strip(evaluation: Evaluation, score: PictureScore) -> tuple[str, set[int]]:
    """A picture, its truth and its predictions side by side; and the labels that occur in them."""
    palette = evaluation.rules.classes.palette
    figures: list[str] = []
    seen: set[int] = set()
    name = escape(score.picture.name)
    try:
        if score.picture.image is not None:
            figures.append(_figure(photo_uri(read_image(score.picture.image), _WIDTH), name))
        truth = read_label(score.picture.truth, palette)
        figures.append(_figure(label_uri(truth, palette, _WIDTH), "truth" if figures else f"{name}: truth"))
        seen |= set(np.unique(truth).tolist())
    except (PydeeplabError, OSError) as error:
        figures.append(f'<p class="error">{escape(str(error))}</p>')
    previous: float | None = None
    for variant in evaluation.variants:
        labels, iou = unpack_labels(score.labels[variant]), score.mean_iou(variant)
        change = "" if previous is None else f" {_change(previous, iou)}"
        caption = f"{escape(variant)}: mean IoU {_per_cent(iou, 1)} %{change}"
        figures.append(_figure(label_uri(labels, palette, _WIDTH), caption))
        seen |= set(np.unique(labels).tolist())
        previous = iou
    return f'<div class="strip">{"".join(figures)}</div>', seen


def _mean_field(evaluation: Evaluation, maps: Sequence[MeanFieldMaps]) -> str:
    note = (
        "Above the score of one class, the logarithm of its probability less the mean of those of all classes; below "
        "the belief in it, its probability, from 0 (dark) to 1 (yellow): before the CRF and after each iteration."
    )
    texts = [f'<p class="soft">{note}</p>']
    for item in maps:
        low, high = (float(np.percentile(np.stack(list(item.scores)), p)) for p in (1, 99))
        truth = label_uri(item.truth, evaluation.rules.classes.palette, _SMALL)
        figures = [_figure(photo_uri(item.image, _SMALL), "image"), _figure(truth, "truth")]
        for iteration, (score, belief) in enumerate(zip(item.scores, item.beliefs, strict=True)):
            caption = f"iteration {iteration}" if iteration else "net"
            figures.append(_figure(photo_uri(heat(score, low, high), _SMALL), f"{caption}: score"))
            figures.append(_figure(photo_uri(heat(belief, 0, 1), _SMALL), f"{caption}: belief"))
        texts.append(f"<h3>{escape(item.name)}, {escape(item.class_name)}</h3>")
        texts.append(f'<div class="maps">{"".join(figures)}</div>')
    return "".join(texts)


def _all_pictures(evaluation: Evaluation) -> str:
    pairs = len(evaluation.variants) > 1
    scores = evaluation.sorted_scores()
    rows = [_header(["picture", *(f"mean IoU, {v}" for v in evaluation.variants), *(["change"] * pairs)])]
    for score in scores[:_MOST_LISTED]:
        ious = [score.mean_iou(v) for v in evaluation.variants]
        rows.append(
            _row([escape(score.picture.name), *(_per_cent(v) for v in ious), *([_change(ious[0], ious[-1])] * pairs)])
        )
    failed = "".join(
        f'<tr><td>{escape(s.picture.name)}</td><td class="error">{escape(s.error)}</td></tr>'
        for s in evaluation.sorted_failures()
    )
    parts = [f"<p>Not scored, and not in the numbers above:</p><table>{failed}</table>"] if failed else []
    shown = f"{min(len(scores), _MOST_LISTED)} of {len(scores)}" if len(scores) > _MOST_LISTED else str(len(scores))
    parts.append(
        f"<details><summary>mean IoU of {shown} pictures, over the classes of each</summary>"
        f"<table>{''.join(rows)}</table></details>"
    )
    return "".join(parts)
