"""Arguments and steps of commands that look at results: pictures, their truth, and label maps or a net."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydeeplab.cli._segmenter import add_classes_argument, add_crf_argument, add_segmenter_arguments, segmenter_options
from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.palette import voc_palette
from pydeeplab.errors import UsageError
from pydeeplab.evaluation.pictures import Picture, pictures_of_folders, pictures_of_list
from pydeeplab.evaluation.predictors import FilePredictor, NetPredictor
from pydeeplab.evaluation.scoring import Rules

__all__ = ["add_results_arguments", "check_results", "files_of", "net_of", "pictures_of", "result_folders", "rules_of"]

VOID_NAMES = {"ignore", "unlabeled", "unlabelled", "void"}


def add_results_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the groups that say where the truth is, and what to look at: folders, or a net and its CRF."""
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


def check_results(args: argparse.Namespace) -> None:
    """Raise `UsageError` for wrong combinations of these arguments, before anything is read."""
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


def pictures_of(args: argparse.Namespace) -> list[Picture]:
    """The pictures that the arguments name."""
    if args.list:
        return pictures_of_list(args.list, args.root)
    return pictures_of_folders(args.truth, args.ids, args.images)


def result_folders(given: Sequence[str]) -> dict[str, Path]:
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


def files_of(args: argparse.Namespace, classes: ClassSet) -> FilePredictor:
    """The folders of label maps that the arguments name."""
    return FilePredictor(result_folders(args.predicted), classes)


def rules_of(args: argparse.Namespace, net: NetPredictor | None, **options: Any) -> Rules:
    """The classes: those given, or the net's, or VOC's; what to ignore; and other ``options`` of `Rules`."""
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
    return Rules(classes, count, tuple(sorted(ignore)), **options)


def net_of(args: argparse.Namespace) -> NetPredictor | None:
    """The net that the arguments name, if they do."""
    return NetPredictor(_net_options(args)) if args.net or args.model else None


def _net_options(args: argparse.Namespace) -> dict[str, Any]:
    options = segmenter_options(args)
    return options | {"classes": _class_set(args.classes)} if args.classes else options


def _class_set(text: str) -> ClassSet:
    """A class set by name, or file, or number of classes."""
    if text.isdecimal() and not Path(text).exists():
        return ClassSet("numbers", tuple(f"class {i}" for i in range(int(text))), voc_palette())
    return class_set(text)
