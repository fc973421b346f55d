"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from pydeeplab.evaluation.confusion import ConfusionMatrix

__all__ = ["confusion_svg"]

_DARK = np.array([8, 64, 129])


def confusion_svg(matrix: ConfusionMatrix, names: Sequence[str]) -> str:
    """Where the pixels of each true class (row) went (columns), in per cent of the row, as an SVG text.

    Ignored classes have no row; a class that occurs nowhere has an empty one. Each cell tells its numbers when pointed
    at.
    """
    rows = np.flatnonzero(matrix.scored()).tolist()
    columns = [c for c in range(matrix.classes) if c in rows or matrix.counts[:, c].any()]
    cell = 30 if len(columns) <= 24 else 18 if len(columns) <= 40 else 12
    font = 11 if cell > 12 else 9
    margin = 16 + 6.2 * max(len(names[c]) for c in columns)
    width, height = margin + cell * len(columns) + 12, margin + cell * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="{font}" role="img">'
        "<title>confusion matrix: rows are true classes, columns predicted ones</title>"
    ]
    for j, column in enumerate(columns):
        x = margin + cell * (j + 0.5) + 4
        parts.append(
            f'<text transform="translate({x:.0f} {margin - 6:.0f}) rotate(-60)" fill="#444444">'
            f"{escape(names[column])}</text>"
        )
    for i, row in enumerate(rows):
        y = margin + cell * i
        parts.append(
            f'<text x="{margin - 6:.0f}" y="{y + cell / 2 + 4:.0f}" text-anchor="end" fill="#444444">'
            f"{escape(names[row])}</text>"
        )
        total = int(matrix.counts[row].sum())
        for j, column in enumerate(columns):
            share = int(matrix.counts[row, column]) / total if total else 0.0
            parts.append(_cell(margin + cell * j, y, cell, share, f"{names[row]} as {names[column]}"))
    return "\n".join([*parts, "</svg>"])


def _cell(x: float, y: float, size: int, share: float, what: str) -> str:
    colour = np.rint(255 + (_DARK - 255) * share**0.6).astype(int)
    fill = "#{:02x}{:02x}{:02x}".format(*colour) if share else "#f7f7f7"
    rect = (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{size - 1}" height="{size - 1}" fill="{fill}">'
        f"<title>{escape(what)}: {100 * share:.2f} %</title></rect>"
    )
    if size < 30 or share < 0.005:
        return rect
    ink = "#ffffff" if share > 0.35 else "#222222"
    return (
        rect + f'<text x="{x + (size - 1) / 2:.0f}" y="{y + size / 2 + 4:.0f}" text-anchor="middle" fill="{ink}">'
        f"{100 * share:.0f}</text>"
    )
