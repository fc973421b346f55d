"""``python -m benchmarks.camvid``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import benchmarks.camvid
from benchmarks.camvid.report import ROOT, record
from benchmarks.camvid.rows import ROWS
from benchmarks.camvid.runner import run
from benchmarks.camvid.ship import ship


def _default_root() -> Path:
    return Path(os.environ.get("PYDEEPLAB_DATA") or ROOT.parent / "shared") / "data" / "camvid"


def main() -> None:
    """Run or record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.camvid",
        description=benchmarks.camvid.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "do",
        choices=("run", "record", "ship"),
        help="train and score what is not finished; write the results; make weights/camvid-small",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--root", type=Path, default=_default_root(), help="folder of CamVid")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once (default 2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each (default 1)")
    args = parser.parse_args()
    out = args.out.resolve()
    if args.do == "run":
        run(args.root, out, args.rows, args.seeds, jobs=args.jobs, threads=args.threads)
    else:
        {"record": record, "ship": ship}[args.do](out)


if __name__ == "__main__":
    main()
