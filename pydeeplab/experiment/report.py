"""The page of one experiment: ours beside the paper's, how it was made, its training and its scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from pydeeplab.experiment.scores import Comparison
from pydeeplab.experiment.spec import Expected
from pydeeplab.files import write_text
from pydeeplab.plotting import Chart, Series, read_log, to_svg
from pydeeplab.web_page import web_page

__all__ = ["source_of", "write_report"]

_SMOOTH = 50


def source_of(expected: Expected) -> str:
    """Where the paper says it: ``Table 4, row 3``."""
    if expected.table is None:
        return expected.note
    row = f", row {expected.row}" if expected.row is not None else ""
    return f"Table {expected.table}{row}"


def _number(value: float | None, sign: str = "") -> str:
    return "&ndash;" if value is None else f"{value:{sign}.2f}"


def _table(numbers: list[Comparison]) -> str:
    rows = "".join(
        f'<tr><td>mean IoU {escape(n.variant)}, %</td><td class="n">{_number(n.ours)}</td>'
        f'<td class="n">{_number(n.paper)}</td><td class="n">{_number(n.difference, "+")}</td></tr>'
        for n in numbers
    )
    header = '<tr><th></th><th class="n">here</th><th class="n">paper</th><th class="n">difference</th></tr>'
    return f"<table>{header}{rows}</table>"


def _losses(logs: Mapping[str, Path]) -> str:
    series = []
    for name, path in logs.items():
        points = sorted(read_log(path).loss.items())
        if points:
            line = Series(name, [p[0] for p in points], [p[1] for p in points])
            series.append(line.smoothed(min(_SMOOTH, len(points))) if len(points) > 2 * _SMOOTH else line)
    return f"<h2>Training</h2>{to_svg(Chart('', 'iteration', 'loss', series), 720, 400)}" if series else ""


def write_report(
    path: Path,
    title: str,
    numbers: list[Comparison],
    settings: Mapping[str, str],
    *,
    logs: Mapping[str, Path],
    pictures: Sequence[Path],
    files: Mapping[str, Path],
) -> None:
    """Write the page atomically.

    Parameters
    ----------
    numbers
        Ours and the paper's.
    settings
        How it was made.
    logs
        Training logs, by what to call their curves.
    pictures
        Figures, which are shown where they exist; ``files`` are linked.
    """

    def link(target: Path) -> str:
        return escape(Path(os.path.relpath(target, path.parent)).as_posix())

    lines = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in settings.items() if v)
    figures = "".join(
        f'<figure><img src="{link(p)}" alt="{escape(p.stem)}"></figure>\n' for p in pictures if p.is_file()
    )
    there = "".join(f'<li><a href="{link(p)}">{escape(name)}</a></li>' for name, p in files.items() if p.exists())
    body = (
        f"<h1>{escape(title)}</h1>\n{_table(numbers)}\n<h2>How it was made</h2><table>{lines}</table>\n"
        f"{_losses(logs)}\n{'<h2>Results</h2>' if figures else ''}{figures}<h2>Files</h2><ul>{there}</ul>"
    )
    write_text(path, web_page(title, body))
