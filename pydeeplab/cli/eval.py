"""score a segmentation against the truth: mean IoU and more, before and after the CRF, with a report

Either scores label maps that lie in folders (--predicted), or runs a net (--net or --model). The truth comes from a
list with an image and a label map per line (--list, below --root), or from a folder (--truth), of all its label maps or
those of a file of names (--ids). Label maps are index, palette or RGB PNGs. With --crf, or a model that has one, scores
before and after it come out of one run. --classes also takes a number of classes.

The mean IoU is the VOC devkit's: from the pixels of all pictures together, over all classes, where a class that neither
occurs nor is predicted counts as 0. Pictures that are missing, unreadable or of the wrong size do not stop the others:
they are listed, left out of the scores, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from pydeeplab.cli._device import processes_at_once
from pydeeplab.cli._nets import apply_threads
from pydeeplab.cli._options import add_json_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._results import (
    add_results_arguments,
    check_results,
    files_of,
    net_of,
    pictures_of,
    result_folders,
    rules_of,
)
from pydeeplab.cli._scores import score_lines
from pydeeplab.cli._tables import has_colours
from pydeeplab.errors import UsageError, counted
from pydeeplab.evaluation.mean_field_maps import mean_field_maps
from pydeeplab.evaluation.parallel import score_in_processes, score_in_threads
from pydeeplab.evaluation.predictors import NetPredictor
from pydeeplab.evaluation.report import trimap_chart, write_report
from pydeeplab.evaluation.scoring import Evaluation, PictureScore
from pydeeplab.evaluation.trimap import AROUND
from pydeeplab.plotting import write_chart

EXAMPLES = """\
  pydeeplab eval --truth SegmentationClass --ids val.txt --predicted results
  pydeeplab eval --truth gt --predicted net=plain --predicted crf=refined --trimap trimap.png --html report.html
  pydeeplab eval --list val.txt --root VOC2012 --net voc12/vgg16_largefov --weights train2.caffemodel --crf
  pydeeplab eval --list camvid/val.txt --root camvid --net deploy.prototxt --weights w.caffemodel --classes camvid \\
      --crf=w=4,xy=30,rgb=5 --html report.html --iterations-of 3 --json scores.json
"""

DEFAULT_WIDTHS = 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_results_arguments(parser)
    scores = parser.add_argument_group("what comes out")
    add_json_argument(scores)
    scores.add_argument(
        "--trimap",
        metavar="FILE",
        nargs="?",
        const="",
        help="also score bands around borders; write the plot: .png, .svg or .csv",
    )
    scores.add_argument(
        "--trimap-widths", type=int, default=DEFAULT_WIDTHS, metavar="N", help="bands of 1 to N pixels (default 40)"
    )
    scores.add_argument(
        "--trimap-around", choices=AROUND, default="void", help="bands around void pixels, or where labels differ"
    )
    scores.add_argument("--html", metavar="FILE", help="write a report with pictures: one file, for any browser")
    scores.add_argument(
        "--panels", type=int, default=6, metavar="N", help="best, worst, ... pictures in it (default 6)"
    )
    scores.add_argument(
        "--iterations-of",
        type=int,
        default=0,
        metavar="N",
        help="in the report: score and belief maps after each mean-field iteration, of N pictures",
    )
    scores.add_argument("--save", metavar="DIR", help="write the predicted label maps: DIR/<variant>/<name>.png")
    scores.add_argument("--jobs", type=int, metavar="N", help="pictures at once (default: what is fastest)")
    scores.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    add_quiet_argument(scores, "no progress, and nothing on files that are written")


def run(args: argparse.Namespace) -> int:
    """Score all pictures; 1 if some could not be."""
    _check(args)
    apply_threads(args)
    pictures = pictures_of(args)[: args.limit]
    net = net_of(args)
    rules = rules_of(
        args,
        net,
        trimap=0 if args.trimap is None else args.trimap_widths,
        around=args.trimap_around,
        keep=bool(args.html),
        save=Path(args.save) if args.save else None,
    )
    _check_iterations(args, net)
    if net is not None:
        evaluation = Evaluation(rules, net.variants)
        results: Iterable[PictureScore] = score_in_processes(net, rules, pictures, processes_at_once(args.jobs))
    else:
        files = files_of(args, rules.classes)
        evaluation = Evaluation(rules, files.variants)
        pictures = [files.find(picture) for picture in pictures]
        results = score_in_threads(files, rules, pictures, args.jobs)
    with Progress(len(pictures), "scoring", quiet=args.quiet or prints_json(args)) as progress:
        for score in results:
            evaluation.add(score)
            progress.advance(score.picture.name)
    _write(args, evaluation, net)
    _report_failed(evaluation)
    return 1 if evaluation.failed else 0


def _check(args: argparse.Namespace) -> None:
    """Wrong combinations, before anything is read."""
    check_results(args)
    for name, least in (("jobs", 1), ("limit", 1), ("trimap_widths", 1), ("panels", 0), ("iterations_of", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, got {value}")
    for name in ("html", "trimap"):
        target = getattr(args, name)
        if target and not Path(target).absolute().parent.is_dir():
            raise UsageError(f"--{name} {target}: the folder does not exist")


def _check_iterations(args: argparse.Namespace, net: NetPredictor | None) -> None:
    if args.iterations_of and not (args.html and net is not None and len(net.variants) > 1):
        raise UsageError("--iterations-of needs --html, a net, and --crf")


def _write(args: argparse.Namespace, evaluation: Evaluation, net: NetPredictor | None) -> None:
    printed = write_json(args, {"command": "eval", **_settings(args, net), **evaluation.summary()})
    if not evaluation.scores:  # zeros for all classes would look like a result
        return
    if not printed:
        print("\n".join(score_lines(evaluation, colours=has_colours(sys.stdout))))
    if args.trimap:
        write_chart(args.trimap, trimap_chart(evaluation))
        _say_written(args, args.trimap)
    if args.html:
        maps = mean_field_maps(evaluation, net, args.iterations_of, complain=_complain) if net is not None else []
        settings = {"CRF" if k == "crf" else k: str(v) for k, v in _settings(args, net).items()}
        title = f"Evaluation of {_subject(args)}"
        write_report(args.html, evaluation, title=title, settings=settings, panels=args.panels, maps=maps)
        _say_written(args, args.html)


def _say_written(args: argparse.Namespace, path: str) -> None:
    if not args.quiet:
        print(f"wrote {path}", file=sys.stderr)


def _subject(args: argparse.Namespace) -> str:
    if args.predicted:
        return ", ".join(result_folders(args.predicted))
    return str(args.model or args.net)


def _settings(args: argparse.Namespace, net: NetPredictor | None) -> dict[str, str]:
    settings = {"truth": str(args.list or args.truth)}
    if net is not None:
        names = {"net": args.model or args.net, "weights": args.weights, "crf": net.options.get("crf")}
        settings.update({key: str(value) for key, value in names.items() if value})
    return settings


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _report_failed(evaluation: Evaluation) -> None:
    for score in evaluation.sorted_failures():
        print(f"not scored: {score.picture.name}: {score.error}", file=sys.stderr)
    if evaluation.failed:
        total = len(evaluation.failed) + len(evaluation.scores)
        print(f"{len(evaluation.failed)} of {counted(total, 'picture')} could not be scored", file=sys.stderr)
