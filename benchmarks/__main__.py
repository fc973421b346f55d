"""Measure pydeeplab beside other runtimes, taking turns, and print how many times as fast it is.

    python -m benchmarks [--rows PATTERN ...] [--against NAME ...] [--threads N ...] [--rounds N] [--quick]
    python -m benchmarks --report

Every row is measured in pairs: we, the other, we, the other, ..., each in a process of its own, pinned to the same
cores. Before timing, what both compute is compared. Results are added to a JSON file pair by pair, so a run can be done
in pieces: those pairs that the file has already are measured again only with --again.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.burden import Burden
from benchmarks.chart import write_charts
from benchmarks.contestants import ALONE, CONTESTANTS, OURS
from benchmarks.duel import CannotError, Worker, difference, duel
from benchmarks.record import Record
from benchmarks.tasks import Task, tasks

TOLERANCE = {"forward": 1e-3, "train": 2e-2, "crf": 1e-4}
"""Largest relative difference of what two contestants may compute; gradients jump where maxima change places."""

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure what is asked for, and report."""
    args = _arguments()
    record = Record(args.out)
    if not args.report:
        with Burden(args.busy):
            for task in tasks(args.threads, args.rows, args.quick):
                _row(task, [n for n in CONTESTANTS if _takes_part(n, task) and _matches(n, args.against)], record, args)
    print(record.table())
    write_charts(record, args.out.parent, args.out.stem)
    return 0


def _arguments() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=[], metavar="PATTERN", help="such as forward/*aspp*, crf")
    parser.add_argument("--against", nargs="+", default=["*"], metavar="NAME", help=f"of {', '.join(CONTESTANTS)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[cores], help=f"default {cores}")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (default 7)")
    parser.add_argument("--quick", action="store_true", help="small pictures and 2 rounds: does everything run?")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="meanwhile, N processes multiply matrices")
    parser.add_argument("--again", action="store_true", help="measure pairs again that the file has")
    parser.add_argument("--report", action="store_true", help="measure nothing; print and draw what the file has")
    parser.add_argument("--out", type=Path, help="the JSON file (default benchmarks/results/bench.json, or busy.json)")
    args = parser.parse_args()
    args.rounds = 2 if args.quick else args.rounds
    args.out = args.out or RESULTS / ("quick.json" if args.quick else "busy.json" if args.busy else "bench.json")
    return args


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _takes_part(name: str, task: Task) -> bool:
    return name != OURS and task.kind in CONTESTANTS[name].kinds and (name != ALONE or task.threads > 1)


def _row(task: Task, names: list[str], record: Record, args: argparse.Namespace) -> None:
    pairs = record.row(task)
    left = [name for name in names if args.again or name not in pairs]
    if not left:
        return
    print(task.title, file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pydeeplab-bench-") as text:
        folder = Path(text)
        subprocess.run([sys.executable, "-m", "benchmarks.materials", json.dumps(task.as_json()), text], check=True)
        expected = _checked(OURS, task, folder) if task.kind == "train" else None
        with Worker(OURS, task, folder) as ours:
            expected = expected or ours.results()
            for name in left:
                pairs[name] = _pair(ours, name, expected, args.rounds)
                record.write()
                print(f"  {name}: {_short(pairs[name], name)}", file=sys.stderr)


def _checked(name: str, task: Task, folder: Path) -> dict[str, Any]:
    """Loss and gradients of the training net without dropout."""
    with Worker(name, task, folder, check=True) as worker:
        return worker.results()


def _pair(ours: Worker, name: str, expected: dict[str, Any], rounds: int) -> dict[str, Any]:
    task, folder = ours.task, ours.folder
    try:
        found = _checked(name, task, folder) if task.kind == "train" else None
        with Worker(name, task, folder) as other:
            error = difference(expected, found or other.results())
            if error > TOLERANCE[task.kind]:
                raise CannotError(f"computes something else: relative difference {error:.2g}")
            duel(ours, other, rounds)
    except CannotError as reason:
        return {"cannot": str(reason)}
    workers = {OURS: ours, name: other}
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "load": os.getloadavg()[0],
        "versions": ours.facts["versions"] | other.facts["versions"],
        "difference": error,
        "seconds": {n: [round(s, 5) for s in w.seconds] for n, w in workers.items()},
        "cpu_seconds": {n: [round(s, 5) for s in w.cpu_seconds] for n, w in workers.items()},
        "peak_mib": {n: round(w.facts["peak_mib"]) for n, w in workers.items()},
        "running_peak_mib": {n: round(w.facts["running_peak_mib"]) for n, w in workers.items()},
        "imported_mib": {n: round(w.facts["imported_mib"]) for n, w in workers.items()},
    }


def _short(pair: dict[str, Any], name: str) -> str:
    if "cannot" in pair:
        return f"cannot: {pair['cannot']}"
    ours, theirs = min(pair["seconds"][OURS]), min(pair["seconds"][name])
    return f"{theirs:.3f} s, we {ours:.3f} s: {theirs / ours:.2f} x"


if __name__ == "__main__":
    sys.exit(main())
