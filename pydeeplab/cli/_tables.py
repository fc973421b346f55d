"""Tables and a little colour for a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO

__all__ = ["format_table", "has_colours", "paint"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def has_colours(stream: IO[str]) -> bool:
    """Whether to colour: only on a terminal, and not if NO_COLOR is set or TERM is dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, colours: bool) -> str:
    """``text`` in a style (bold, dim, red, green, yellow, cyan), or as it is."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colours else text


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), colours: bool = False
) -> list[str]:
    """Lines of a table as wide as its cells; columns whose index is in ``right`` are aligned to the right.

    Columns that are empty in all rows are left out.

    Examples
    --------
    >>> format_table(["layer", "count", "note"], [["conv1", "12", ""], ["fc", "3", ""]], right=[1])
    ['layer  count', 'conv1     12', 'fc         3']
    """
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    width = {i: max(len(header[i]), *(len(row[i]) for row in rows)) for i in kept}

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cells[i].rjust(width[i]) if i in right else cells[i].ljust(width[i]) for i in kept).rstrip()

    return [paint(line(header), "bold", colours), *(line(row) for row in rows)]
