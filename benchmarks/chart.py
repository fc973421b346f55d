"""Pictures of a record: the time of every contestant beside ours, and how we scale with threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import ALONE, OURS
from benchmarks.record import Record, median_ratio
from benchmarks.tasks import Task
from pydeeplab.files import write_bytes
from pydeeplab.plotting import Chart, Series, write_chart
from pydeeplab.plotting.layout import Box, Line, Part, Picture, Text, text_width
from pydeeplab.plotting.write import picture_svg

__all__ = ["write_charts"]

WIDTH, LEFT, RIGHT, LINE = 760, 190, 60, 20
MOST = 6.0
"""Bars of contestants that take more than this many times our time are cut off."""
FASTER, SLOWER, OWN = "#009e73", "#d55e00", "#222222"


def write_charts(record: Record, folder: Path, stem: str) -> None:
    """Write ``<stem>.svg``, the times of all rows, and ``<stem>_scaling.svg`` if one thread took turns with several."""
    picture = _bars(record.content["rows"])
    write_bytes(folder / f"{stem}.svg", picture_svg(picture, "Time as a multiple of pydeeplab's").encode())
    series = _scaling(record.content["rows"])
    if series:
        chart = Chart("Speed-up with threads", "threads", "times as fast as with one thread", series, y_low=0)
        write_chart(folder / f"{stem}_scaling.svg", chart)


def _bars(rows: list[dict[str, Any]]) -> Picture:
    """A bar for each contestant of each row: its time in units of ours, by the median of the rounds."""
    parts: list[Part] = [Text(12, 24, "Time as a multiple of pydeeplab's (shorter is faster)", size=16, bold=True)]
    unit = (WIDTH - LEFT - RIGHT) / MOST
    y = 36.0
    for row in rows:
        done = {name: pair for name, pair in row["pairs"].items() if "seconds" in pair}
        if not done:
            continue
        y += LINE
        parts.append(Text(12, y, Task(**row["task"]).title, bold=True))
        top = y + 6
        for name in done:
            y += LINE
            times = median_ratio(done[name], name)
            length = min(times, MOST) * unit
            parts.append(Text(LEFT - 8, y, name, anchor="end"))
            parts.append(Box(LEFT, y - 12, length, 14, fill=FASTER if times >= 1 else SLOWER, opacity=0.8))
            beside = unit if unit - 40 < length < unit else length
            parts.append(Text(LEFT + beside + 6, y, f"{times:.2f}"))
        parts.append(Line(np.array([(LEFT + unit, top), (LEFT + unit, y + 4)]), OWN, 1.5))
        y += 10
    label = "pydeeplab"
    parts.append(Text(LEFT + unit - text_width(label) / 2, y + 12, label))
    height = round(y) + 24
    return Picture(WIDTH, height, (LEFT, 36, WIDTH - RIGHT, height - 24), parts)


def _scaling(rows: list[dict[str, Any]]) -> list[Series]:
    """How many times as fast we are on some threads as on one, measured in turns, for each kind of work."""
    times: dict[str, dict[int, float]] = {}
    for row in rows:
        task, pair = Task(**row["task"]), row["pairs"].get(ALONE, {})
        if "seconds" in pair:
            seconds = pair["seconds"]
            times.setdefault(task.name, {1: 1.0})[task.threads] = min(seconds[ALONE]) / min(seconds[OURS])
    return [Series(name, sorted(by), [by[n] for n in sorted(by)], marks=True) for name, by in times.items()]
