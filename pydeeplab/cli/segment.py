"""Segment pictures: label maps, overlays and class shares from images of any size.

Writes for each picture an index PNG of its labels (pixel values are class numbers, coloured by a palette), and on
request the picture under the classes' colours with a legend, and the probabilities. Pictures are padded to a size that
suits the net and cut back; those larger than --tile are cut into overlapping tiles. A picture that fails does not stop
the others: it is listed at the end, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import glob
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._nets import add_threads_argument, apply_threads, defines_of
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.data.classes import CLASS_SETS, read_palette
from pydeeplab.data.images import IMAGE_SUFFIXES, read_image
from pydeeplab.data.palette import write_png
from pydeeplab.errors import PydeeplabError, UsageError
from pydeeplab.files import atomic_path
from pydeeplab.formats import read_mean
from pydeeplab.net import ENGINES
from pydeeplab.resources import find_weights
from pydeeplab.segmentation import MEAN_BGR, Segmentation, Segmenter
from pydeeplab.segmentation.model import read_model
from pydeeplab.segmentation.tiles import MERGES

EXAMPLES = """\
  pydeeplab segment photo.jpg --net voc12/vgg16_largefov --weights train2_iter_8000.caffemodel --overlay
  pydeeplab segment photos/ -o masks --net deploy.prototxt --weights net.caffemodel --crf --overlay
  pydeeplab segment 'city/*.png' --net deploy.prototxt --weights net.caffemodel --tile 1025 --classes cityscapes --json
  pydeeplab segment photo.jpg --net net.prototxt --weights w.caffemodel --crf=w=4,xy=67,rgb=3
  pydeeplab segment page.png --net model.prototxt --weights weights.caffemodel --mean 127 --scale 0.0039
"""

DEFAULT_CRF = "voc12-largefov"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="pictures, folders of pictures, or quoted patterns")
    parser.add_argument(
        "-o", "--out", metavar="DIR", default="segmented", help="folder for results (default: segmented)"
    )

    model = parser.add_argument_group("the net")
    model.add_argument("--net", metavar="NET", help="a prototxt, or the name of one of ours such as voc12/vgg16_aspp_l")
    model.add_argument("--weights", metavar="FILES", help="weight file(s), comma-separated, of any format")
    model.add_argument("--model", metavar="NAME", help="instead: a model that comes with pydeeplab, or its JSON file")
    model.add_argument("--output", metavar="BLOB", help="blob with the scores (default: the last output with channels)")
    model.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in the net"
    )
    model.add_argument("--engine", choices=ENGINES, default="DEFAULT", help="convolution engine (default DEFAULT)")
    add_threads_argument(model)  # type: ignore[arg-type]

    inputs = parser.add_argument_group("how pictures are given to it")
    inputs.add_argument(
        "--mean",
        metavar="B,G,R",
        help="mean colour to subtract, one number, or a mean file (default 104.008,116.669,122.675)",
    )
    inputs.add_argument("--scale", type=float, help="factor after the mean (default 1)")
    inputs.add_argument(
        "--rgb", action="store_true", default=None, help="the net wants red, green, blue (and --mean so)"
    )
    inputs.add_argument("--gray", action="store_true", default=None, help="turn pictures grey first")
    inputs.add_argument("--tile", type=int, metavar="N", help="cut pictures larger than N x N pixels (default 1025)")
    inputs.add_argument(
        "--overlap", type=int, metavar="N", help="pixels that tiles have in common (default: a quarter)"
    )
    inputs.add_argument(
        "--merge", choices=MERGES, default="average", help="scores where tiles overlap (default average)"
    )

    outputs = parser.add_argument_group("what comes out")
    outputs.add_argument(
        "--crf",
        metavar="PARAMS",
        nargs="?",
        const=DEFAULT_CRF,
        help="refine with a dense CRF: a preset, or w=..,xy=..,rgb=..,pos_w=..,pos_xy=..,iter=.., or both "
        f"(default {DEFAULT_CRF})",
    )
    outputs.add_argument("--overlay", action="store_true", help="also write NAME_overlay.png: colours over the picture")
    outputs.add_argument(
        "--alpha", type=float, default=0.6, help="share of the colours in overlays, 0 to 1 (default 0.6)"
    )
    outputs.add_argument(
        "--probabilities", action="store_true", help="also write NAME_probabilities.npy: C x H x W, float16"
    )
    outputs.add_argument(
        "--classes", metavar="SET", help=f"class names: {', '.join(CLASS_SETS)}, or a file with a name per line"
    )
    outputs.add_argument(
        "--palette",
        metavar="SET",
        help="colours: one of these sets, a file with 'R G B' per line, or 'none' (grey PNGs)",
    )
    outputs.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Segment all pictures; returns 1 if one failed."""
    apply_threads(args)
    files = find_images(_separate_crf(args))
    results = result_names(files)
    out = Path(args.out)
    _check_targets(files, results, out)
    segmenter = Segmenter(**_options(args))
    if args.palette and args.palette != "none":
        segmenter.classes = dataclasses.replace(segmenter.classes, palette=read_palette(args.palette))
    out.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with Progress(len(files), "segmenting", quiet=len(files) == 1) as progress:
        for file, name in zip(files, results, strict=True):
            try:
                done.append(_segment(args, segmenter, file, out / name))
            except UsageError:
                raise
            except (PydeeplabError, OSError, MemoryError) as error:
                failed.append({"image": str(file), "error": str(error) or type(error).__name__})
            progress.advance(file.name)
    _report(args, done, failed)
    return 1 if failed else 0


def _separate_crf(args: argparse.Namespace) -> list[str]:
    """The pictures; ``--crf photo.jpg`` means the picture, not parameters."""
    images = list(args.images)
    if args.crf and args.crf != DEFAULT_CRF and Path(args.crf).exists():
        images.append(args.crf)
        args.crf = DEFAULT_CRF
    if not images:
        raise UsageError("no picture given; name files, folders or quoted patterns")
    return images


def find_images(given: Iterable[str]) -> list[Path]:
    """Pictures named on the command line: files, the pictures in folders (sorted), and what patterns match."""
    found: list[Path] = []
    for text in given:
        path = Path(text)
        if path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
            if not inside:
                raise UsageError(f"folder '{text}' holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
            found += inside
        elif path.exists() or not glob.has_magic(text):
            found.append(path)
        else:
            matches = sorted(Path(f) for f in glob.glob(text, recursive=True))
            if not matches:
                raise UsageError(f"no file matches '{text}'")
            found += [f for f in matches if f.is_file()]
    return list(dict.fromkeys(found))


def result_names(files: list[Path]) -> list[str]:
    """A name for the results of each picture: its stem, or its whole name where stems are equal."""
    stems = [f.stem for f in files]
    names = [f.name if stems.count(f.stem) > 1 else f.stem for f in files]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice:
        same = [str(f) for f, n in zip(files, names, strict=True) if n == twice]
        raise UsageError(f"results of {same[0]} and {same[1]} would have the same name; segment them into two folders")
    return names


def _check_targets(files: list[Path], names: list[str], out: Path) -> None:
    sources = {f.resolve() for f in files}
    for name in names:
        if (out / f"{name}.png").resolve() in sources:
            raise UsageError(
                f"'{out / name}.png' is one of the pictures and would be overwritten; give another folder: -o DIR"
            )


def _mean(text: str) -> list[float]:
    if Path(text).is_file():
        mean = read_mean(text)
        return [float(v) for v in (mean if mean.ndim == 1 else mean.mean(axis=(1, 2)))]
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--mean wants numbers such as {','.join(map(str, MEAN_BGR))}, or a file; got '{text}'"
        ) from None


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `Segmenter`; what is given overrules the model's description."""
    if bool(args.model) == bool(args.net):
        raise UsageError("say which net: --net NET --weights FILE, or --model NAME")
    if args.net and not args.weights:
        raise UsageError("a net without weights knows nothing: give --weights FILE")
    options: dict[str, Any] = read_model(args.model) if args.model else {"net": args.net}
    weights = [find_weights(word) for word in args.weights.split(",")] if args.weights else None
    given = {
        "weights": weights,
        "mean": _mean(args.mean) if args.mean else None,
        "scale": args.scale,
        "order": "rgb" if args.rgb else None,
        "gray": args.gray,
        "tile": args.tile,
        "overlap": args.overlap,
        "merge": args.merge,
        "crf": args.crf,
        "output": args.output,
        "classes": args.classes,
        "defines": defines_of(args),
        "engine": args.engine,
    }
    return options | {name: value for name, value in given.items() if value is not None}


def _segment(args: argparse.Namespace, segmenter: Segmenter, file: Path, target: Path) -> dict[str, Any]:
    """Segment one picture, write its results, and describe them."""
    start = time.perf_counter()
    image = read_image(file)
    result = segmenter(image, probabilities=args.probabilities)
    written = _write(args, result, image, target)
    names = {i: result.classes.label(i) for i in result.counts()}
    return {
        "image": str(file),
        "height": image.shape[0],
        "width": image.shape[1],
        "seconds": round(time.perf_counter() - start, 3),
        "classes": {
            names[i]: {"label": i, "pixels": count, "share": round(count / result.labels.size, 6)}
            for i, count in sorted(result.counts().items(), key=lambda item: -item[1])
        },
        "files": written,
        "notes": list(result.notes),
    }


def _write(args: argparse.Namespace, result: Segmentation, image: NDArray[np.uint8], target: Path) -> dict[str, str]:
    """Write the files of one picture; returns their names by kind."""
    files = {"labels": target.with_name(f"{target.name}.png")}
    result.save(files["labels"], palette=args.palette != "none")
    if args.overlay:
        files["overlay"] = target.with_name(f"{target.name}_overlay.png")
        write_png(files["overlay"], result.overlay(image, args.alpha))
    if args.probabilities:
        if result.probabilities is None:
            raise UsageError("this net gives labels only (its output is an ArgMax); leave out --probabilities")
        files["probabilities"] = target.with_name(f"{target.name}_probabilities.npy")
        with atomic_path(files["probabilities"]) as temporary, temporary.open("wb") as stream:
            np.save(stream, result.probabilities.astype(np.float16))
    return {kind: str(path) for kind, path in files.items()}


def _report(args: argparse.Namespace, done: list[dict[str, Any]], failed: list[dict[str, str]]) -> None:
    if args.json:
        print(json.dumps({"images": done, "errors": failed}, indent=2))
    elif done:
        rows = [
            [
                item["image"],
                f"{item['height']}x{item['width']}",
                f"{item['seconds']:.2f}",
                _shares(item["classes"]),
                item["files"]["labels"],
                "; ".join(item["notes"]),
            ]
            for item in done
        ]
        header = ["image", "size", "seconds", "classes", "labels", "notes"]
        print("\n".join(format_table(header, rows, right=[2], colours=has_colours(sys.stdout))))
    for item in failed:
        print(f"failed: {item['error']}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(failed) + len(done)} pictures failed", file=sys.stderr)


def _shares(classes: dict[str, dict[str, Any]], most: int = 4) -> str:
    """The largest classes and their shares: ``person 19 %, bottle 5 %, ...``."""
    words = [f"{name} {100 * entry['share']:.0f} %" for name, entry in list(classes.items())[:most]]
    return ", ".join(words) + (", ..." if len(classes) > most else "")
