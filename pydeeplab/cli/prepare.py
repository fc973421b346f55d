"""make label maps and lists of a data set, from its devkit as it comes

Writes index PNGs of the labels, list files and a class file, in the layout that the nets of prototxt/ expect:

    OUT/<exp>/list/<set>.txt      an image and its label map per line: /JPEGImages/x.jpg /SegmentationClassAug/x.png
    OUT/<exp>/list/<set>_id.txt   names only, in the same order
    OUT/<exp>/classes.txt         names and colours, for --classes
    OUT/<exp>/data                the data root: label maps, and links to the devkit's images

Train from OUT with --define DATA_ROOT=<exp>/data. Data sets: voc12 (with SBD's annotations: train_aug), pascal-context
(59 classes and background), person-part (6 parts and background), cityscapes (19 classes), own (a folder of images and
one of masks). docs/datasets.md says which files each one needs.

What is finished stays, so that a run that was stopped goes on and a second one changes nothing. Pictures that cannot be
prepared are named, are in no list, and make the exit code 1. --check writes nothing, decodes all files, and says what
is missing or different.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import TaskProgress
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.errors import UsageError, counted
from pydeeplab.prepare import DATASETS, Prepared, prepare

EXAMPLES = """\
  pydeeplab prepare voc12 --root VOCdevkit/VOC2012 --annotations benchmark_RELEASE -o work
  pydeeplab prepare pascal-context --root VOCdevkit/VOC2010 --annotations context -o work
  pydeeplab prepare cityscapes --root cityscapes -o work --check
  pydeeplab prepare own --root photos --classes classes.txt --val-share 0.1 -o work
  pydeeplab prepare own --root scans --images in --masks out --mask-suffix _mask --values 0,255 -o work
"""

_OWN = ("images", "masks", "name", "classes", "mask_suffix", "values", "unknown", "val_share", "seed")
_SHOWN = 12


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    names = [name.replace("_", "-") for name in DATASETS]
    parser.add_argument(
        "dataset", metavar="DATASET", choices=names, type=lambda t: t.replace("_", "-"), help=", ".join(names)
    )
    parser.add_argument("--root", metavar="DIR", required=True, help="the devkit's folder")
    add_out_argument(parser, "DIR", "where nets will be run from (default: here)", default=".")
    parser.add_argument(
        "--annotations", metavar="DIR", help="SBD, PASCAL-Context, Annotations_Part, gtFine (default: near the devkit)"
    )
    parser.add_argument("--data", metavar="DIR", help="the data root (default OUT/<exp>/data)")
    parser.add_argument("--lists", metavar="DIR", help="take the sets from the lists in this folder")
    parser.add_argument("--copy", action="store_true", help="copy the images instead of linking to their folder")
    parser.add_argument("--check", action="store_true", help="only verify: write nothing, decode all files")
    parser.add_argument("--fast", action="store_true", help="trust finished label maps that decode and have their size")
    parser.add_argument(
        "--jobs", "--workers", dest="workers", type=int, metavar="N", help="processes at once (default: all cores)"
    )
    add_json_argument(parser)
    add_quiet_argument(parser, "no progress, and problems only")
    context = parser.add_argument_group("pascal-context")
    context.add_argument(
        "--class-order", metavar="FILE", help="order of the classes: 'number: name' per line (default: alphabetical)"
    )
    own = parser.add_argument_group("own")
    own.add_argument("--images", metavar="DIR", help="folder of images, below --root (default images)")
    own.add_argument("--masks", metavar="DIR", help="folder of masks, below --root (default masks)")
    own.add_argument("--name", help="<exp>, the folder of the lists (default: that of --root)")
    own.add_argument(
        "--classes", metavar="SET", help="a class set, or a file: a name per line, and R G B for RGB masks"
    )
    own.add_argument("--mask-suffix", metavar="TEXT", help="_mask, where a.jpg has a_mask.png")
    own.add_argument("--values", metavar="V,V,...", help="values in masks of class 0, 1, ..., such as 0,255")
    own.add_argument("--unknown", type=int, metavar="LABEL", help="label of colours that no class has (default: error)")
    own.add_argument("--val-share", type=float, metavar="X", help="share that is dealt to val (default 0.2)")
    own.add_argument("--seed", type=int, metavar="N", help="of the dealing (default 0)")


def run(args: argparse.Namespace) -> int:
    """Prepare and report."""
    prepared = prepare(
        args.dataset,
        args.root,
        args.out,
        data=args.data,
        lists=args.lists,
        copy=args.copy,
        check=args.check,
        fast=args.fast,
        workers=args.workers,
        watch=TaskProgress(args.quiet or prints_json(args)),
        **_options(args),
    )
    if not write_json(args, prepared.to_json()):
        if not args.quiet:
            print("\n".join(_lines(prepared, colours=has_colours(sys.stdout))))
        _report_problems(prepared)
    return 0 if prepared.ok else 1


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """What was given of the options that only some data sets take."""
    given = {n: getattr(args, n) for n in ("annotations", "class_order", *_OWN) if getattr(args, n) is not None}
    if "values" in given:
        try:
            given["values"] = [int(word) for word in given["values"].split(",")]
        except ValueError:
            raise UsageError(f"--values wants numbers such as 0,255; got '{args.values}'") from None
    return given


def _lines(prepared: Prepared, *, colours: bool) -> list[str]:
    rows = []
    for count in prepared.counts.values():
        published = "" if count.expected is None else str(count.expected)
        rows.append([count.name, str(count.found), published, _difference(count.found, count.expected)])
    lines = format_table(["set", "pictures", "published", ""], rows, right=[1, 2], colours=colours)
    labels = ", ".join(f"{number} {state}" for state, number in sorted(prepared.labels.items()))
    lines += ["", f"label maps: {labels or 'none'}"]
    if prepared.copied:
        lines.append(f"{counted(prepared.copied, 'image')} copied")
    lines += [f"note: {note}" for note in prepared.notes]
    if prepared.same:
        lines.append("nothing changed: all was there already")
    elif prepared.check:
        lines += [f"missing or different: {path}" for path in prepared.changed[:_SHOWN]]
        if len(prepared.changed) > _SHOWN:
            lines.append(f"and {counted(len(prepared.changed) - _SHOWN, 'other file')}")
    else:
        lines.append(f"lists in {prepared.class_file.parent / 'list'}, classes in {prepared.class_file}")
        lines.append(f"run nets from {prepared.out} with --define DATA_ROOT={_data_root(prepared)}")
    return lines


def _difference(found: int, expected: int | None) -> str:
    if expected is None or found == expected:
        return ""
    return f"{expected - found} fewer" if found < expected else f"{found - expected} more"


def _data_root(prepared: Prepared) -> str:
    """The data root as it is seen from where nets are run."""
    if prepared.data_root.is_relative_to(prepared.out):
        return prepared.data_root.relative_to(prepared.out).as_posix()
    return str(prepared.data_root.absolute())


def _report_problems(prepared: Prepared) -> None:
    for problem in prepared.problems[:_SHOWN]:
        print(f"left out: {problem}", file=sys.stderr)
    count = len(prepared.problems)
    if count:
        rest = "" if count <= _SHOWN else f", of which the first {_SHOWN} are shown; --json lists all"
        print(f"{counted(count, 'picture')} could not be prepared{rest}", file=sys.stderr)
