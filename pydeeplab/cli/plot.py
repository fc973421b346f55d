"""plot trainings: loss, learning rate or scores over the iterations, from logs

Reads Caffe's logs, those of `pydeeplab train` (text or JSON lines), several at once. Without -o a table is printed:
iterations, last and lowest loss, learning rate, last scores, speed. With -o a chart is written as the file's name says:
PNG, SVG, or CSV with the numbers.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, write_json
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.errors import DataError, UsageError
from pydeeplab.plotting import Chart, Series, TrainingLog, read_log, write_chart
from pydeeplab.plotting.chart import COLOURS
from pydeeplab.plotting.write import SUFFIXES

EXAMPLES = """\
  pydeeplab plot train.log
  pydeeplab plot train.log -o loss.png --smooth 20
  pydeeplab plot poly/train.log step/train.log -o compare.svg --what score
  pydeeplab plot train.log -o loss.csv
"""

WHAT = {"loss": "loss", "lr": "learning rate", "score": "score"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("logs", metavar="LOG", nargs="+", help="training logs")
    add_out_argument(parser, "FILE", f"write a chart: {', '.join(SUFFIXES)}")
    parser.add_argument("--what", choices=tuple(WHAT), default="loss", help="what to plot (default loss)")
    parser.add_argument(
        "--smooth", type=int, default=1, metavar="N", help="mean of N displayed values, with the raw ones behind it"
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="with --what score: this output; repeatable")
    parser.add_argument("--log-scale", action="store_true", help="logarithmic vertical axis")
    parser.add_argument("--title", default="", help="of the chart")
    parser.add_argument("--size", metavar="WxH", default="760x440", help="of the chart (default 760x440)")
    add_json_argument(parser)
    add_quiet_argument(parser, "do not say what was written")


def run(args: argparse.Namespace) -> int:
    """Plot, or print the table."""
    if args.smooth < 1:
        raise UsageError(f"--smooth must be at least 1, got {args.smooth}")
    width, height = _size(args.size)
    logs = [read_log(path) for path in args.logs]
    labels = _labels([log.path for log in logs])
    if args.out:
        write_chart(args.out, _chart(args, dict(zip(labels, logs, strict=True))), width, height)
        if not args.quiet:
            print(f"wrote {args.out}", file=sys.stderr)
    entries = [_summary(label, log) for label, log in zip(labels, logs, strict=True)]
    if not (write_json(args, entries) or args.out):
        _print_table(entries)
    return 0


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdigit() and int(width) >= 200 and int(height) >= 150):
        raise UsageError(f"--size wants WIDTHxHEIGHT of at least 200x150, got '{text}'")
    return int(width), int(height)


def _labels(paths: Sequence[str]) -> list[str]:
    """A short name for each log: its stem, with as many folders before it as tell it from the others."""
    for depth in range(1, max(len(Path(p).parts) for p in paths) + 1):
        labels = ["/".join(Path(p).with_suffix("").parts[-depth:]) for p in paths]
        if len(set(labels)) == len(labels):
            return labels
    return [str(p) for p in paths]


def _chart(args: argparse.Namespace, logs: dict[str, TrainingLog]) -> Chart:
    series: list[Series] = []
    for label, log in logs.items():
        curves = log.curves(args.what)
        chosen = {n: c for n, c in curves.items() if not (args.what == "score" and args.only) or n in args.only}
        if curves and not chosen:
            raise UsageError(f"'{log.path}' has no output {' or '.join(args.only)}; it has {', '.join(curves)}")
        for name, curve in chosen.items():
            words = ([label] if len(logs) > 1 else []) + ([name] if args.what == "score" or len(logs) == 1 else [])
            series += _lines(" ".join(words), curve, args.smooth, COLOURS[_shown(series) % len(COLOURS)])
    if not series:
        raise DataError(f"no {WHAT[args.what]} in {', '.join(log.path for log in logs.values())}")
    return Chart(args.title, "iteration", WHAT[args.what], series, args.log_scale)


def _shown(series: list[Series]) -> int:
    return sum(not s.faint for s in series)


def _lines(name: str, curve: dict[int, float], smooth: int, colour: str) -> list[Series]:
    """A curve, or with ``smooth`` > 1 its running mean over a faint curve."""
    points = sorted(curve.items())
    raw = Series(name, [p[0] for p in points], [p[1] for p in points], colour=colour, marks=len(points) <= 30)
    if smooth == 1:
        return [raw]
    mean = raw.smoothed(smooth)
    raw.faint, raw.marks = True, False
    return [raw, mean]


def _last(curve: dict[int, float]) -> float:
    return curve[max(curve)] if curve else math.nan


def _print_table(entries: list[dict[str, Any]]) -> None:
    header = ["log", "net", "iterations", "last loss", "lowest loss", "at", "lr", "iter/s", "last scores"]
    rows = [
        [
            e["log"],
            e["net"],
            str(e["iterations"]),
            _text(e["last_loss"]),
            _text(e["lowest_loss"]),
            _text(e["lowest_loss_at"]),
            _text(e["lr"]),
            _text(e["iterations_per_second"], 3),
            ", ".join(f"{name} {_text(value, 4)}" for name, value in e["scores"].items()),
        ]
        for e in entries
    ]
    print("\n".join(format_table(header, rows, right=range(2, 8), colours=has_colours(sys.stdout))))


def _text(value: float | None, digits: int = 6) -> str:
    return "" if value is None else f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _summary(label: str, log: TrainingLog) -> dict[str, Any]:
    finite = {i: v for i, v in log.loss.items() if math.isfinite(v)}
    lowest = min(finite, key=lambda i: finite[i]) if finite else None
    numbers = {
        "last_loss": _last(log.loss),
        "lowest_loss": math.nan if lowest is None else finite[lowest],
        "lr": _last(log.lr),
        "iterations_per_second": log.iterations_per_second(),
    }
    return {
        "log": label,
        "path": log.path,
        "net": log.net,
        "iterations": log.iterations,
        "lowest_loss_at": lowest,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "scores": {n: v if math.isfinite(v) else None for n, c in log.curves("score").items() for v in [_last(c)]},
    }
