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
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pydeeplab.cli._nets import apply_threads
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._scores import score_lines
from pydeeplab.cli._segmenter import add_classes_argument, add_crf_argument, add_segmenter_arguments, segmenter_options
from pydeeplab.cli._tables import has_colours
from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import voc_palette
from pydeeplab.errors import PydeeplabError, UsageError, counted
from pydeeplab.evaluation.parallel import score_in_processes, score_in_threads
from pydeeplab.evaluation.pictures import Picture, pictures_of_folders, pictures_of_list
from pydeeplab.evaluation.predictors import FilePredictor, NetPredictor
from pydeeplab.evaluation.report import MeanFieldMaps, trimap_chart, write_report
from pydeeplab.evaluation.scoring import Evaluation, PictureScore, Rules
from pydeeplab.evaluation.trimap import AROUND
from pydeeplab.files import write_text
from pydeeplab.plotting import write_chart

EXAMPLES = """\
  pydeeplab eval --truth SegmentationClass --ids val.txt --predicted results
  pydeeplab eval --truth gt --predicted net=plain --predicted crf=refined --trimap trimap.png --html report.html
  pydeeplab eval --list val.txt --root VOC2012 --net voc12/vgg16_largefov --weights train2.caffemodel --crf
  pydeeplab eval --list camvid/val.txt --root camvid --net deploy.prototxt --weights w.caffemodel --classes camvid \\
      --crf=w=4,xy=30,rgb=5 --html report.html --iterations-of 3 --json scores.json
"""

VOID_NAMES = {"ignore", "unlabeled", "unlabelled", "void"}
DEFAULT_WIDTHS = 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    truth = parser.add_argument_group("the truth")
    truth.add_argument("--list", metavar="FILE", help="a list: an image and its label map per line")
    truth.add_argument("--root", metavar="DIR", default="", help="folder of the list's paths")
    truth.add_argument("--truth", metavar="DIR", help="instead: folder of true label maps")
    truth.add_argument("--ids", metavar="FILE", help="names of the pictures of --truth, one per line (default: all)")
    truth.add_argument("--images", metavar="DIR", help="folder of the images of --truth")
    add_classes_argument(truth)
    truth.add_argument(
        "--ignore", metavar="LABELS", help="true labels that do not count (default 255, and classes called void)"
    )
    predicted = parser.add_argument_group("label maps to score")
    predicted.add_argument(
        "--predicted",
        metavar="[NAME=]DIR",
        action="append",
        help="folder of predicted label maps; with several, give each a name",
    )
    add_segmenter_arguments(parser)
    add_crf_argument(parser)
    scores = parser.add_argument_group("what comes out")
    scores.add_argument("--json", metavar="FILE", help="write all scores as JSON; - prints them instead of the table")
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
    scores.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    """Score all pictures; 1 if some could not be."""
    _check(args)
    apply_threads(args)
    pictures = _pictures(args)
    net = NetPredictor(_net_options(args)) if args.net or args.model else None
    rules = _rules(args, net)
    _check_iterations(args, net)
    if net is not None:
        evaluation = Evaluation(rules, net.variants)
        results: Iterable[PictureScore] = score_in_processes(net, rules, pictures, args.jobs)
    else:
        files = FilePredictor(_folders(args.predicted), rules.classes)
        evaluation = Evaluation(rules, files.variants)
        pictures = [files.find(picture) for picture in pictures]
        results = score_in_threads(files, rules, pictures, args.jobs)
    with Progress(len(pictures), "scoring", quiet=args.quiet) as progress:
        for score in results:
            evaluation.add(score)
            progress.advance(score.picture.name)
    _write(args, evaluation, net)
    _report_failed(evaluation)
    return 1 if evaluation.failed else 0


def _check(args: argparse.Namespace) -> None:
    """Wrong combinations, before anything is read."""
    if bool(args.list) == bool(args.truth):
        raise UsageError("say where the truth is: --list FILE, or --truth DIR")
    if args.list and (args.ids or args.images):
        raise UsageError("--ids and --images go with --truth; a list names its images itself")
    if bool(args.predicted) == bool(args.net or args.model):
        raise UsageError("say what to score: --predicted DIR, or a net: --net NET --weights FILE, or --model NAME")
    if args.predicted and args.crf:
        raise UsageError("--crf goes with a net; `pydeeplab crf` refines score maps in files")
    if args.truth and (args.net or args.model) and not args.images:
        raise UsageError("a net needs the images: --images DIR, or a list of both with --list")
    for name, least in (("jobs", 1), ("limit", 1), ("trimap_widths", 1), ("panels", 0), ("iterations_of", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, got {value}")
    for name in ("json", "html", "trimap"):
        target = getattr(args, name)
        if target and target != "-" and not Path(target).absolute().parent.is_dir():
            raise UsageError(f"--{name} {target}: the folder does not exist")


def _check_iterations(args: argparse.Namespace, net: NetPredictor | None) -> None:
    if args.iterations_of and not (args.html and net is not None and len(net.variants) > 1):
        raise UsageError("--iterations-of needs --html, a net, and --crf")


def _pictures(args: argparse.Namespace) -> list[Picture]:
    if args.list:
        pictures = pictures_of_list(args.list, args.root)
    else:
        pictures = pictures_of_folders(args.truth, args.ids, args.images)
    return pictures[: args.limit]


def _folders(given: Sequence[str]) -> dict[str, Path]:
    """Folders of predictions by name."""
    folders: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or Path(text).is_dir():
            name, path = ("predicted" if len(given) == 1 else Path(text).name), text
        if not Path(path).is_dir():
            raise UsageError(f"the folder of predicted label maps '{path}' does not exist")
        if name in folders:
            raise UsageError(f"two --predicted are called '{name}'; name them: --predicted NAME=DIR")
        folders[name] = Path(path)
    return folders


def _rules(args: argparse.Namespace, net: NetPredictor | None) -> Rules:
    """The classes: those given, or the net's, or VOC's; and what else there is to know for scoring."""
    channels = None
    if net is not None:
        classes, channels = net.segmenter.classes, net.segmenter.channels
    else:
        classes = _class_set(args.classes or "voc12")
    count = channels or len(classes)
    if count == 0:
        raise UsageError("the net gives labels only: say how many classes there are with --classes")
    ignore = {255, *(i for i, name in enumerate(classes.names) if name.lower() in VOID_NAMES)}
    if args.ignore is not None:
        try:
            ignore = {int(word) for word in args.ignore.split(",") if word}
        except ValueError:
            raise UsageError(f"--ignore wants numbers such as 255,11; got '{args.ignore}'") from None
    return Rules(
        classes,
        count,
        tuple(sorted(ignore)),
        trimap=0 if args.trimap is None else args.trimap_widths,
        around=args.trimap_around,
        keep=bool(args.html),
        save=Path(args.save) if args.save else None,
    )


def _net_options(args: argparse.Namespace) -> dict[str, Any]:
    options = segmenter_options(args)
    return options | {"classes": _class_set(args.classes)} if args.classes else options


def _class_set(text: str) -> ClassSet:
    """A class set by name, or file, or number of classes."""
    if text.isdigit() and not Path(text).exists():
        return ClassSet("numbers", tuple(f"class {i}" for i in range(int(text))), voc_palette())
    return class_set(text)


def _write(args: argparse.Namespace, evaluation: Evaluation, net: NetPredictor | None) -> None:
    if args.json:
        document = {"command": "eval", **_settings(args, net), **evaluation.summary()}
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        if args.json == "-":
            print(text, end="")
        else:
            write_text(args.json, text)
    if args.json != "-":
        print("\n".join(score_lines(evaluation, colours=has_colours(sys.stdout))))
    if args.trimap:
        write_chart(args.trimap, trimap_chart(evaluation))
        _say_written(args, args.trimap)
    if args.html:
        maps = _mean_field_maps(evaluation, net, args.iterations_of) if net is not None else []
        settings = {"CRF" if k == "crf" else k: str(v) for k, v in _settings(args, net).items()}
        title = f"Evaluation of {_subject(args)}"
        write_report(args.html, evaluation, title=title, settings=settings, panels=args.panels, maps=maps)
        _say_written(args, args.html)


def _say_written(args: argparse.Namespace, path: str) -> None:
    if not args.quiet:
        print(f"wrote {path}", file=sys.stderr)


def _subject(args: argparse.Namespace) -> str:
    if args.predicted:
        return ", ".join(_folders(args.predicted))
    return str(args.model or args.net)


def _settings(args: argparse.Namespace, net: NetPredictor | None) -> dict[str, str]:
    settings = {"truth": str(args.list or args.truth)}
    if net is not None:
        names = {"net": args.model or args.net, "weights": args.weights, "crf": net.options.get("crf")}
        settings.update({key: str(value) for key, value in names.items() if value})
    return settings


def _mean_field_maps(evaluation: Evaluation, net: NetPredictor, count: int) -> list[MeanFieldMaps]:
    """Maps of the pictures that the CRF changes most, of the most frequent class beside the background."""
    first, last = evaluation.variants[0], evaluation.variants[-1]
    changed = sorted(evaluation.scores, key=lambda s: -abs(np.nan_to_num(s.mean_iou(last) - s.mean_iou(first))))
    maps = []
    for score in changed[:count]:
        truth = read_label(score.picture.truth, evaluation.rules.classes.palette)
        pixels = np.bincount(truth[truth < evaluation.rules.count].ravel(), minlength=evaluation.rules.count)
        pixels[[i for i in evaluation.rules.ignore if i < len(pixels)]] = 0
        background = evaluation.rules.classes.background
        if background is not None and np.delete(pixels, background).any():
            pixels[background] = 0
        index = int(pixels.argmax())
        try:
            image = read_image(score.picture.image or "")
            scores, beliefs = net.iterations(score.picture, index)
        except UsageError:
            raise
        except PydeeplabError as error:
            print(f"no maps of {score.picture.name}: {error}", file=sys.stderr)
            continue
        maps.append(MeanFieldMaps(score.picture.name, evaluation.names()[index], image, truth, scores, beliefs))
    return maps


def _report_failed(evaluation: Evaluation) -> None:
    for score in evaluation.sorted_failures():
        print(f"not scored: {score.picture.name}: {score.error}", file=sys.stderr)
    if evaluation.failed:
        total = len(evaluation.failed) + len(evaluation.scores)
        print(f"{len(evaluation.failed)} of {counted(total, 'picture')} could not be scored", file=sys.stderr)
