"""segment pictures: label maps, overlays and class shares from images of any size

Writes for each picture an index PNG of its labels (pixel values are class numbers, coloured by a palette), and on
request the picture under the classes' colours with a legend, and the probabilities. Pictures are padded to a size that
suits the net and cut back; those larger than --tile are cut into overlapping tiles, whose scores are merged one row of
tiles after the other: labels of a large picture take little memory, its probabilities and a CRF that of the whole. A
picture that fails does not stop the others: it is listed at the end, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import glob
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._lists import add_list_arguments, listed_images
from pydeeplab.cli._nets import apply_threads
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._segmenter import (
    DEFAULT_CRF,
    add_classes_argument,
    add_crf_argument,
    add_segmenter_arguments,
    segmenter_options,
)
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.crf.parameters import is_parameter_file
from pydeeplab.data.classes import read_palette
from pydeeplab.data.images import IMAGE_SUFFIXES, read_image
from pydeeplab.data.palette import write_png
from pydeeplab.errors import PydeeplabError, UsageError, WeightsError, counted
from pydeeplab.files import atomic_path, make_folder
from pydeeplab.segmentation import Segmentation, Segmenter

EXAMPLES = """\
  pydeeplab segment photo.jpg --net voc12/vgg16_largefov --weights train2_iter_8000.caffemodel --overlay
  pydeeplab segment photos/ -o masks --net deploy.prototxt --weights net.caffemodel --crf --overlay
  pydeeplab segment 'city/*.png' --net deploy.prototxt --weights net.caffemodel --tile 1025 --classes cityscapes --json
  pydeeplab segment photo.jpg --net net.prototxt --weights w.caffemodel --crf=w=4,xy=67,rgb=3
  pydeeplab segment photo.jpg --net net.prototxt --weights w.caffemodel --scales 0.5,0.75,1 --flip
  pydeeplab segment city.png --net cityscapes/vgg16_largefov --weights w.caffemodel --overlap exact --merge centre
  pydeeplab segment --list voc12/list/val.txt --root VOC2012 -o masks --net voc12/vgg16_aspp_l --weights w.caffemodel
  pydeeplab segment page.png --net model.prototxt --weights weights.caffemodel --mean 127 --scale 0.0039
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="pictures, folders of pictures, or quoted patterns")
    add_list_arguments(parser)
    add_out_argument(parser, "DIR", "folder for results (default: segmented)", default="segmented")

    add_segmenter_arguments(parser)
    outputs = parser.add_argument_group("what comes out")
    add_crf_argument(outputs)
    outputs.add_argument("--overlay", action="store_true", help="also write NAME_overlay.png: colours over the picture")
    outputs.add_argument(
        "--alpha", type=float, default=0.6, help="share of the colours in overlays, 0 to 1 (default 0.6)"
    )
    outputs.add_argument(
        "--probabilities", action="store_true", help="also write NAME_probabilities.npy: C x H x W, float16"
    )
    add_classes_argument(outputs)
    outputs.add_argument(
        "--palette",
        metavar="SET",
        help="colours: one of these sets, a file with 'R G B' per line, or 'none' (grey PNGs)",
    )
    outputs.add_argument("--skip-done", action="store_true", help="leave out pictures whose label map is there")
    add_json_argument(outputs)
    add_quiet_argument(outputs, "no progress, no table of pictures that went well")


def run(args: argparse.Namespace) -> int:
    """Segment all pictures; returns 1 if one failed."""
    apply_threads(args)
    files = find_images(_separate_crf(args))
    results = result_names(files)
    out = Path(args.out)
    _check_targets(files, results, out)
    if args.skip_done:
        kept = [(f, n) for f, n in zip(files, results, strict=True) if not (out / f"{n}.png").is_file()]
        files, results = [f for f, _ in kept], [n for _, n in kept]
    segmenter = Segmenter(**segmenter_options(args))
    if args.palette and args.palette != "none":
        segmenter.classes = dataclasses.replace(segmenter.classes, palette=read_palette(args.palette))
    make_folder(out)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with Progress(len(files), "segmenting", quiet=len(files) == 1 or args.quiet or prints_json(args)) as progress:
        for file, name in zip(files, results, strict=True):
            try:
                done.append(_segment(args, segmenter, file, out / name))
            except (UsageError, WeightsError):  # not the picture's fault
                raise
            except (PydeeplabError, OSError, MemoryError) as error:
                failed.append({"image": str(file), "error": str(error) or type(error).__name__})
            progress.advance(file.name)
    _report(args, done, failed)
    return 1 if failed else 0


def _separate_crf(args: argparse.Namespace) -> list[str]:
    """The pictures; ``--crf photo.jpg`` means the picture, not parameters."""
    images = listed_images(args) or list(args.images)
    if args.crf and args.crf != DEFAULT_CRF and not is_parameter_file(args.crf) and Path(args.crf).exists():
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
    printed = write_json(args, {"images": done, "errors": failed})
    if done and not (printed or args.quiet):
        rows = [
            [
                item["image"],
                f"{item['height']} x {item['width']}",
                f"{item['seconds']:.2f}",
                _shares(item["classes"]),
                item["files"]["labels"],
                "; ".join(item["notes"]),
            ]
            for item in done
        ]
        header = ["image", "H x W", "seconds", "classes", "labels", "notes"]
        print("\n".join(format_table(header, rows, right=[2], colours=has_colours(sys.stdout))))
    for item in failed:
        print(f"failed: {item['error']}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {counted(len(failed) + len(done), 'picture')} failed", file=sys.stderr)


def _shares(classes: dict[str, dict[str, Any]], most: int = 4) -> str:
    """The largest classes and their shares: ``person 19 %, bottle 5 %, ...``."""
    words = [f"{name} {100 * entry['share']:.0f} %" for name, entry in list(classes.items())[:most]]
    return ", ".join(words) + (", ..." if len(classes) > most else "")
