"""find the CRF's parameters for a net by cross-validation, from coarse to fine

Section 4.1.1 of the paper: on 100 images of val, w1, sigma_alpha and sigma_beta (the bilateral kernel's weight and its
deviations in pixels and grey levels) are varied, w2 and sigma_gamma (the positional kernel's) are 3. First all points
of a grid, then steps around the best, which are halved --rounds times; where the best lies on the border, the search
goes on beyond it. The score is the mean IoU of all pictures together.

Scores come from a folder (--scores, as `pydeeplab test`, extract-features or Caffe's MatWrite write them), or from a
net, which is run once: they are kept in DIR/scores. Pictures are drawn from the list by --seed.

Writes to DIR: best.json, which every CRF option takes (segment --crf=DIR/best.json); search.png, .svg and .csv, mean
IoU over the parameters; and results.jsonl, with which a search that was stopped goes on.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydeeplab.backend.room import available_bytes
from pydeeplab.cli._nets import apply_threads
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import TaskProgress
from pydeeplab.cli._results import net_of, rules_of
from pydeeplab.cli._score_cache import cached_scores
from pydeeplab.cli._segmenter import add_classes_argument, add_segmenter_arguments
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.crf import NORMALIZATIONS, CRFParameters
from pydeeplab.crf.files import MAP_SUFFIXES, match_files
from pydeeplab.crf.room import crf_bytes
from pydeeplab.crf_search import (
    ENGINES,
    KINDS,
    PAPER_GRID,
    Grid,
    Sample,
    Search,
    Setting,
    choose_engine,
    parse_values,
    search,
)
from pydeeplab.data.images import image_size
from pydeeplab.errors import DataError, UsageError, counted
from pydeeplab.evaluation.pictures import Picture, pictures_of_list
from pydeeplab.figures.crf_search import search_figure
from pydeeplab.figures.figure import write_figure
from pydeeplab.files import make_folder, write_text
from pydeeplab.json_values import json_text
from pydeeplab.threads import get_num_threads, threads_each

EXAMPLES = """\
  pydeeplab crf-search --list voc12/list/val.txt --root voc12/data --scores features/val/fc8 -o search
  pydeeplab crf-search --list val.txt --root data --net voc12/vgg16_largefov --weights train.caffemodel
  pydeeplab crf-search --list val.txt --root data --scores fc8 --sigma-alpha 5:2:25 --sigma-beta 3:5 --images 50
  pydeeplab segment photo.jpg --net voc12/vgg16_largefov --weights train.caffemodel --crf=crf_search/best.json
"""

_SHOWN = 8
_AXES = {
    "w1": ("w", "weight"),
    "sigma-alpha": ("xy", "deviation in pixels"),
    "sigma-beta": ("rgb", "deviation in grey levels"),
}
"""The options for the values of each axis of the grid, and what they are."""
_PROCESS = 150 << 20
"""Bytes that a process takes beside its picture's."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--list", metavar="FILE", required=True, help="an image and its label map per line")
    parser.add_argument("--root", metavar="DIR", default="", help="folder of the list's paths")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="pictures to draw (default 100)")
    parser.add_argument("--seed", type=int, default=10, metavar="N", help="of the drawing (default 10)")
    add_classes_argument(parser)
    parser.add_argument("--ignore", metavar="LABELS", help="true labels that do not count (default 255, and void ones)")
    maps = parser.add_argument_group("scores in files, instead of a net")
    maps.add_argument("--scores", metavar="DIR", help=f"folder of score maps ({', '.join(MAP_SUFFIXES)})")
    maps.add_argument("--scores-are", choices=KINDS, default="logits", help="what they hold (default logits)")
    maps.add_argument("--key", metavar="NAME", help="array of an .npz or variable of a .mat")
    add_segmenter_arguments(parser)
    tried = parser.add_argument_group("what is tried")
    for option, (axis, about) in _AXES.items():
        values = ",".join(f"{v:g}" for v in getattr(PAPER_GRID, axis))
        tried.add_argument(f"--{option}", metavar="VALUES", help=f"{about}: 3:6, 30:10:100 or 4,5 (default {values})")
    tried.add_argument("--rounds", type=int, default=2, metavar="N", help="how often steps are halved (default 2)")
    tried.add_argument(
        "--params", default="pos_w=3,pos_xy=3", metavar="TEXT", help="what is fixed (default pos_w=3,pos_xy=3,iter=10)"
    )
    tried.add_argument("--iterations", type=int, metavar="N", help="mean-field iterations (default: those of --params)")
    tried.add_argument("--normalization", choices=NORMALIZATIONS, help="of the kernels (default: that of --params)")
    work = parser.add_argument_group("how it is done")
    work.add_argument("--jobs", type=int, metavar="N", help="processes at once (default: as cores and memory allow)")
    work.add_argument("--runner", choices=ENGINES, help="what runs them (default: joblib if it is installed)")
    work.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786")
    work.add_argument("--restart", action="store_true", help="forget what an earlier search in DIR has found")
    add_out_argument(parser, "DIR", "folder for results (default: --json's FILE less its suffix, or crf_search)")
    add_json_argument(parser)
    add_quiet_argument(parser, "no progress, no table")
    parser.set_defaults(crf=None)


def run(args: argparse.Namespace) -> int:
    """Search, and write what was found; 1 if pictures could not be used."""
    _check(args)
    apply_threads(args)
    runner, grid, out = choose_engine(args.runner, args.scheduler), _grid(args), _folder(args)
    watch = TaskProgress(args.quiet or prints_json(args))
    setting, samples = _subject(args, out, watch)
    workers = args.jobs or _workers(samples, setting)
    if args.restart:
        (out / "results.jsonl").unlink(missing_ok=True)
    found = search(
        samples,
        replace(setting, threads=threads_each(workers)),
        str(out / "results.jsonl"),
        grid,
        rounds=args.rounds,
        workers=workers,
        engine=runner,
        scheduler=args.scheduler,
        watch=watch,
    )
    _write(args, found, grid, out)
    for problem in found.failed:
        print(f"not used: {problem}", file=sys.stderr)
    return 1 if found.failed else 0


def _check(args: argparse.Namespace) -> None:
    """Wrong combinations, before anything is read."""
    if bool(args.scores) == bool(args.net or args.model):
        raise UsageError("say where the scores come from: --scores DIR, or a net: --net NET --weights FILE, or --model")
    for name, least in (("images", 1), ("rounds", 0), ("jobs", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UsageError(f"--{name} must be at least {least}, got {value}")


def _grid(args: argparse.Namespace) -> Grid:
    values = {}
    for option, (axis, _) in _AXES.items():
        text = getattr(args, option.replace("-", "_"))
        if text is not None:
            values[axis] = parse_values(text, f"--{option}")
    return replace(PAPER_GRID, **values)


def _folder(args: argparse.Namespace) -> Path:
    named = None if prints_json(args) else args.json
    return make_folder(args.out or (Path(named).with_suffix("") if named else "crf_search"))


def _drawn(args: argparse.Namespace) -> list[Picture]:
    """The pictures to search with, in the order of the list."""
    pictures = pictures_of_list(args.list, args.root)
    chosen = random.Random(args.seed).sample(range(len(pictures)), min(args.images, len(pictures)))
    return [pictures[index] for index in sorted(chosen)]


def _subject(args: argparse.Namespace, out: Path, watch: TaskProgress) -> tuple[Setting, list[Sample]]:
    """What does not vary, and the pictures with their scores."""
    net, pictures = net_of(args), _drawn(args)
    rules = rules_of(args, net)
    if net is None:
        images = [Path(f"{picture.name}{(picture.image or picture.truth).suffix}") for picture in pictures]
        if any(len(image.parts) > 1 for image in images):
            raise UsageError("pictures in several folders have the same name: their score maps cannot be told apart")
        files, kind = match_files(images, args.scores, MAP_SUFFIXES, "score maps"), args.scores_are
    else:
        files, kind = cached_scores(net, pictures, out / "scores", watch)
    changes = {n: getattr(args, n) for n in ("iterations", "normalization") if getattr(args, n) is not None}
    setting = Setting(
        rules.count,
        rules.classes.palette.tobytes(),
        replace(CRFParameters.parse(args.params), **changes),
        rules.ignore,
        kind,
        args.key,
    )
    return setting, [Sample(p.name, p.image or p.truth, f, p.truth) for p, f in zip(pictures, files, strict=True)]


def _workers(samples: Sequence[Sample], setting: Setting) -> int:
    """As many processes as there are threads, if there are pictures and memory for them."""
    needed = 1
    for sample in samples:
        try:
            height, width = image_size(sample.image)
        except DataError:
            continue
        needed = max(needed, crf_bytes(height, width, setting.classes, setting.params))
    free = available_bytes(swap=False)
    fitting = get_num_threads() if free is None else int(0.8 * free / (2 * needed + _PROCESS))
    return max(1, min(get_num_threads(), len(samples), fitting))


def _write(args: argparse.Namespace, found: Search, grid: Grid, out: Path) -> None:
    """The best parameters, all results, and the figure."""
    asked = {"list": args.list, "images": args.images, "seed": args.seed, "grid": asdict(grid)}
    document = found.to_json() | {"asked": asked}
    write_text(out / "best.json", json_text(document) + "\n")
    scores = {point: matrix.mean_iou() for point, matrix in found.points.items()}
    figure = search_figure(scores, found.best, found.before.mean_iou(), len(found.pictures))
    written = [out / "best.json", *write_figure(figure, out)]
    if not (write_json(args, document) or args.quiet):
        print("\n".join(_lines(found, written, colours=has_colours(sys.stdout))))


def _lines(found: Search, written: Sequence[Path], *, colours: bool) -> list[str]:
    points: list[dict[str, Any]] = found.to_json()["points"]
    rows = [
        [*(f"{point[axis]:g}" for axis, _ in _AXES.values()), f"{100 * point['mean_iou']:.2f}"]
        for point in points[:_SHOWN]
    ]
    rows.append(["-", "-", "-", f"{100 * found.before.mean_iou():.2f}"])
    header = ["w1", "sigma_alpha", "sigma_beta", "mean IoU"]
    tried = f"{len(points)} points tried on {counted(len(found.pictures), 'picture')}; the last line is without CRF"
    lines = [*format_table(header, rows, right=range(4), colours=colours), "", tried]
    best = shlex.quote(str(written[0]))
    return [*lines, f"best: --crf={best}, that is {found.params}", *(f"wrote {path}" for path in written)]
