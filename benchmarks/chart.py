"""Charts of a record: how many times as fast we are, and how we scale with threads."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contestants import OURS
from benchmarks.record import Record
from benchmarks.tasks import Task
from pydeeplab.plotting import Chart, Series, write_chart

__all__ = ["write_charts"]


def write_charts(record: Record, folder: Path, stem: str) -> None:
    """Write ``<stem>_scaling.svg``: speed-up over one thread, a line for each kind of work."""
    series = []
    times: dict[str, dict[int, float]] = {}
    for row in record.content["rows"]:
        task = Task(**row["task"])
        ours = [min(p["seconds"][OURS]) for p in row["pairs"].values() if "seconds" in p]
        if ours:
            times.setdefault(task.name, {})[task.threads] = min(ours)
    for name, by_threads in times.items():
        if 1 in by_threads and len(by_threads) > 1:
            counts = sorted(by_threads)
            series.append(Series(name, counts, [by_threads[1] / by_threads[n] for n in counts], marks=True))
    if series:
        chart = Chart("Speed-up with threads", "threads", "times as fast as with one thread", series, y_low=0)
        write_chart(folder / f"{stem}_scaling.svg", chart)
