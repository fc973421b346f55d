"""check a training, or a net and its files, before it starts

The checks that `pydeeplab train` makes first, alone: do all listed files exist and decode, do images and label maps
have equal sizes, are all label values classes or ignored (with file, row and column of those that are not), does the
crop suit the net, which layers would start from zero, can snapshots be written, how much memory is needed, are images
trained on and tested on alike, and how do the settings differ from those of the DeepLab paper.

The exit code is 0 where no error was found (warnings and notes are not errors), else 1.
"""

from __future__ import annotations

import argparse
import sys

from pydeeplab.cli._findings import report_lines
from pydeeplab.cli._nets import defines_of
from pydeeplab.cli._options import add_json_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import TaskProgress
from pydeeplab.cli._tables import has_colours
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.preflight import check_net, check_training
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab check --solver solver.prototxt --weights init.caffemodel --define DATA_ROOT=/data/VOC2012
  pydeeplab check --solver solver.prototxt --fast
  pydeeplab check --net train.prototxt --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--solver", metavar="FILE", help="a solver prototxt: check its nets and settings")
    what.add_argument("--net", metavar="NET", help="a net prototxt, or the name of one of ours: check it alone")
    parser.add_argument("--weights", metavar="FILES", help="weights to start from, comma-separated")
    parser.add_argument("--resumed", action="store_true", help="weights will come from a snapshot")
    parser.add_argument("--phase", choices=("TRAIN", "TEST"), default="TRAIN", help="phase of --net (default TRAIN)")
    parser.add_argument("--level", type=int, default=0, help="level of the nets' state")
    parser.add_argument("--stage", action="append", default=[], help="a stage of the nets' state; may be repeated")
    parser.add_argument("--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME}")
    parser.add_argument("--fast", action="store_true", help="decode only a sample of the files")
    parser.add_argument(
        "--jobs",
        "--workers",
        dest="workers",
        type=int,
        metavar="N",
        help="files at once (default: all cores, at most 4)",
    )
    add_json_argument(parser)
    add_quiet_argument(parser, "no progress, and no notes: only errors and warnings")


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    options = {
        "weights": args.weights,
        "defines": defines_of(args),
        "level": args.level,
        "stages": args.stage,
        "fast": args.fast,
        "workers": args.workers,
        "watch": TaskProgress(args.quiet or prints_json(args)),
    }
    if args.solver:
        report = check_training(find_net(args.solver, "solver"), resumed=args.resumed, **options)
    else:
        phase = TRAIN if args.phase == "TRAIN" else TEST
        report = check_net(find_net(args.net, "train" if phase == TRAIN else "test"), phase, **options)
    if not write_json(args, report.to_json()):
        print("\n".join(report_lines(report, colours=has_colours(sys.stdout), quiet=args.quiet)))
    return 0 if report.ok else 1
