"""The record of all measurements: a JSON file that pieces are added to, and the table that it prints as."""

from __future__ import annotations

import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.tasks import Task
from pydeeplab.files import write_bytes

__all__ = ["Record", "machine", "median_ratio"]


def machine() -> dict[str, Any]:
    """What this runs on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "vector instructions": [f for f in ("avx2", "avx512f") if f in flags],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


class Record:
    """Pairs of contestants by row; measuring a pair again replaces it."""

    def __init__(self, path: Path):
        self.path = path
        self.content: dict[str, Any] = {"machine": machine(), "rows": []}
        if path.exists():
            self.content["rows"] = json.loads(path.read_text())["rows"]

    def row(self, task: Task) -> dict[str, Any]:
        """The pairs of a task, by the second contestant's name."""
        for row in self.content["rows"]:
            if row["task"] == task.as_json():
                pairs: dict[str, Any] = row["pairs"]
                return pairs
        row = {"task": task.as_json(), "pairs": {}}
        self.content["rows"].append(row)
        self.content["rows"].sort(key=lambda r: (r["task"]["kind"], r["task"]["net"], r["task"]["threads"]))
        return row["pairs"]

    def write(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path, (json.dumps(self.content, indent=1) + "\n").encode())

    def table(self) -> str:
        """All rows as text."""
        lines = [", ".join(f"{k} {v}" for k, v in self.content["machine"].items())]
        for row in self.content["rows"]:
            lines += ["", Task(**row["task"]).title, *_table(row["pairs"])]
        return "\n".join(lines)


_COLUMNS = {
    "best s": 9,
    "median s": 10,
    "we are": 8,
    "median": 8,
    "by CPU": 8,
    "peak MiB": 10,
    "ours": 7,
    "differs": 10,
}
_HEADER = f"  {'contestant':<22}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS.items())


def _table(pairs: dict[str, Any]) -> list[str]:
    """One line for us, from the pair in which we were fastest, and one for each other."""
    lines = [_HEADER]
    done = {name: pair for name, pair in pairs.items() if "seconds" in pair}
    if done:
        quickest = min(done.values(), key=lambda pair: min(pair["seconds"][OURS]))
        seconds = quickest["seconds"][OURS]
        lines.append(f"  {OURS:<22}{min(seconds):>9.3f}{statistics.median(seconds):>10.3f}")
    for name, pair in pairs.items():
        if "cannot" in pair:
            lines.append(f"  {name:<22}cannot: {pair['cannot'][:90]}")
            continue
        ours, theirs = pair["seconds"][OURS], pair["seconds"][name]
        peaks = pair["peak_mib"]
        lines.append(
            f"  {name:<22}{min(theirs):>9.3f}{statistics.median(theirs):>10.3f}{min(theirs) / min(ours):>7.2f}x"
            f"{median_ratio(pair, name):>7.2f}x{cpu_ratio(pair, name):>7.2f}x{peaks[name]:>10.0f}{peaks[OURS]:>7.0f}"
            f"{pair['difference']:>10.1e}{pair['load']:>6.0f}"
        )
    return lines


def median_ratio(pair: dict[str, Any], name: str) -> float:
    """How many times as fast as ``name`` we are: the median over all rounds."""
    ours, theirs = pair["seconds"][OURS], pair["seconds"][name]
    return statistics.median(t / o for o, t in zip(ours, theirs, strict=True))


def cpu_ratio(pair: dict[str, Any], name: str) -> float:
    """How many times the processor time (of all threads) of our best run that of ``name`` takes."""
    spent = pair["cpu_seconds"]
    return float(min(spent[name]) / min(spent[OURS]))
