"""draw the paper's figures from results, nets and pictures of your own

Writes DIR/NAME.png and DIR/NAME.svg, each under a title and over a caption, DIR/NAME.csv where a figure shows numbers,
and DIR/index.html with all that this call drew. What there is to draw (in brackets the paper's figures):

  trimap      mean IoU and pixel accuracy near object borders, of several results (10)
  panels      image, truth and results, before and after the CRF (6, 8, 9, 11, 12, 13)
  failures    the pictures that the last result makes worst compared with the first (14)
  mean-field  score and belief maps after mean-field iterations (5)
  aspp        the fields of view of a net's parallel atrous filters, on a picture (4)
  taps        the taps of a net's kernels at their rates
  atrous      sparse and dense feature extraction, on a picture (3)
  atrous-1d   the same, of a signal (2)
  all         all of these for which there is what they need

Results are label maps in folders (--predicted, once for each result, with names), or those of a net before and after
its CRF; the truth comes from a list or a folder, as for `pydeeplab eval`. Without any of these, --scenes draws from
scenes that pydeeplab makes itself. `pydeeplab draw` draws nets.

A picture that cannot be scored, or a figure that cannot be drawn, does not stop the others: it is named, and the exit
code is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydeeplab.cli._figures import Material
from pydeeplab.cli._nets import apply_threads
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, write_json
from pydeeplab.cli._results import add_results_arguments
from pydeeplab.errors import DataError, PydeeplabError, UsageError, WeightsError
from pydeeplab.evaluation.trimap import AROUND
from pydeeplab.figures import (
    Figure,
    aspp_figure,
    atrous_figure,
    build_page,
    failures_figure,
    line_figure,
    mean_field_figure,
    panels_figure,
    taps_figure,
    trimap_figure,
    write_figure,
)
from pydeeplab.figures.panels import CHOICES
from pydeeplab.files import make_folder, write_text

EXAMPLES = """\
  pydeeplab figure all --scenes 12 -o figures
  pydeeplab figure trimap --truth gt --predicted VGG-16=vgg --predicted 'VGG-16, CRF=vgg_crf' --predicted ResNet=res
  pydeeplab figure panels failures --truth gt --images jpg --predicted before=net --predicted after=crf --overlay
  pydeeplab figure mean-field --image photo.jpg --net voc12/vgg16_largefov --weights w.caffemodel --crf --class person
  pydeeplab figure aspp taps --net voc12/vgg16_aspp_l --image photo.jpg
  pydeeplab figure atrous --image photo.jpg --rate 4
"""


def _panels(args: argparse.Namespace, material: Material) -> Figure:
    names = args.names.split(",") if args.names else ()
    options = {"count": args.count, "how": args.choose, "width": args.width, "mixed": args.overlay}
    return panels_figure(material.evaluation(), names=names, note=material.note, **options)


def _failures(args: argparse.Namespace, material: Material) -> Figure:
    options = {"count": args.count, "width": args.width, "mixed": args.overlay}
    return failures_figure(material.evaluation(), note=material.note, **options)


def _mean_field(args: argparse.Namespace, material: Material) -> Figure:
    return mean_field_figure(**material.mean_field(args.class_name), iterations=_numbers(args.iterations))


def _aspp(args: argparse.Namespace, material: Material) -> Figure:
    image, _ = material.image()
    net, data, trained = material.net_with_gradients(image)
    return aspp_figure(net, image, material.net_name, data, effective=trained)


FIGURES: dict[str, Callable[[argparse.Namespace, Material], Figure]] = {
    "trimap": lambda args, material: trimap_figure(material.evaluation()),
    "panels": _panels,
    "failures": _failures,
    "mean-field": _mean_field,
    "aspp": _aspp,
    "taps": lambda args, material: taps_figure(material.bare_net(), material.net_name),
    "atrous": lambda args, material: atrous_figure(*material.image(), rate=args.rate),
    "atrous-1d": lambda args, material: line_figure(args.rate),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "names_of_figures", metavar="NAME", nargs="+", choices=[*FIGURES, "all"], help="which figures: see above"
    )
    add_out_argument(parser, "DIR", "folder for them (default: figures)", default="figures")
    add_results_arguments(parser)
    drawn = parser.add_argument_group("what is drawn")
    drawn.add_argument(
        "--scenes", type=int, metavar="N", help="N scenes of ours as pictures, and if no net is named, ours for them"
    )
    drawn.add_argument("--image", metavar="FILE", help="picture for mean-field, aspp and atrous (default: one scored)")
    drawn.add_argument("--class", dest="class_name", metavar="NAME", help="for mean-field (default: the most frequent)")
    drawn.add_argument(
        "--iterations", metavar="N,N,...", default="1,2,5,10", help="of the mean field to show (default 1,2,5,10)"
    )
    drawn.add_argument("--rate", type=int, default=2, metavar="N", help="of atrous and atrous-1d (default 2)")
    drawn.add_argument("--count", type=int, default=4, metavar="N", help="pictures in panels and failures (default 4)")
    drawn.add_argument("--choose", choices=CHOICES, default="spread", help="which ones in panels (default spread)")
    drawn.add_argument("--names", metavar="A,B,...", help="or these, by name")
    drawn.add_argument("--overlay", action="store_true", help="lay label maps over the image")
    drawn.add_argument("--width", type=int, default=240, metavar="N", help="of each picture in panels (default 240)")
    drawn.add_argument("--trimap-widths", type=int, default=40, metavar="N", help="bands of 1 to N pixels (default 40)")
    drawn.add_argument(
        "--trimap-around", choices=AROUND, default="void", help="bands around void pixels, or where labels differ"
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--formats", metavar="LIST", default="png,svg", help="of the figures: png, svg or both (default png,svg)"
    )
    files.add_argument("--resolution", type=int, default=2, metavar="N", help="PNG pixels per unit (default 2)")
    files.add_argument("--small", action="store_true", help="PNGs with at most 256 colours, for web pages")
    files.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    files.add_argument("--jobs", type=int, metavar="N", help="pictures at once (default: what is fastest)")
    add_json_argument(files)
    add_quiet_argument(files, "no progress, no list of files")


def run(args: argparse.Namespace) -> int:
    """Draw and write."""
    formats = _check(args)
    apply_threads(args)
    with tempfile.TemporaryDirectory() as folder:
        material = Material(args, Path(folder))
        figures, not_drawn = _draw(args, material)
        settings, not_scored = material.settings, material.not_scored
    out = make_folder(args.out)
    written = {}
    for figure in figures:
        colours = 256 if args.small else None
        written[figure.name] = write_figure(figure, out, formats, scale=args.resolution, colours=colours)
    write_text(out / "index.html", build_page(figures, settings=settings))
    drawn = [
        {"name": f.name, "title": f.title, "caption": f.caption, "files": [str(p) for p in written[f.name]]}
        for f in figures
    ]
    missing = {"not_drawn": not_drawn, "not_scored": {s.picture.name: s.error for s in not_scored}}
    if not (write_json(args, {"figures": drawn, "page": str(out / "index.html"), **missing}) or args.quiet):
        for figure in figures:
            print(f"{figure.name}: {', '.join(str(path) for path in written[figure.name])}")
        print(f"page: {out / 'index.html'}")
    return 1 if not_drawn or not_scored else 0


def _draw(args: argparse.Namespace, material: Material) -> tuple[list[Figure], dict[str, str]]:
    """The figures asked for, and what went wrong with those that their pictures or files do not allow.

    With ``all``, those are asked for for which there is what they need.
    """
    everything = "all" in args.names_of_figures
    names = list(FIGURES if everything else dict.fromkeys(args.names_of_figures))
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    for name in names:
        try:
            lacking = material.lacking(name) if everything else None
            if lacking is None:
                figures.append(FIGURES[name](args, material))
            elif not args.quiet:
                print(f"{name}: left out, {lacking}", file=sys.stderr)
        except (UsageError, WeightsError):
            raise
        except PydeeplabError as error:
            if len(names) == 1:
                raise
            failed[name] = str(error)
            print(f"not drawn: {name}: {error}", file=sys.stderr)
    if not figures:
        raise DataError("no figure could be drawn")
    return figures, failed


def _check(args: argparse.Namespace) -> tuple[str, ...]:
    """The formats; wrong numbers before anything is read."""
    for name in ("scenes", "count", "trimap_widths", "resolution", "limit", "jobs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    if args.width < 40:
        raise UsageError(f"--width must be at least 40, got {args.width}")
    _numbers(args.iterations)
    formats = tuple(dict.fromkeys(args.formats.lower().split(",")))
    wrong = [word for word in formats if word not in ("png", "svg")]
    if wrong:
        raise UsageError(f"--formats wants png, svg or both, got '{wrong[0]}'")
    return formats


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--iterations wants numbers such as 1,2,5,10, got '{text}'") from None
