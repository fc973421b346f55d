"""refine score maps or label maps with a fully connected CRF

Makes the borders of score maps follow the edges of the pictures that they belong to, as DeepLab's post-processing does,
and writes a label map for every picture: DIR/<name>.png, an index PNG with the palette of the classes. Scores come from
.npy, .npz, .mat or .bin files: (C, H, W) logits (no softmax needed), or what --scores-are says (DeepLab's .bin files
hold probabilities); maps of padded images, larger than the picture, are cut to its top left part. Instead of scores,
--labels takes label maps that are right with probability --gt-prob.

Parameters: --params takes the name of a published setting, a file that crf-search wrote, or a list such as
w=4,xy=121,rgb=5,pos_w=3,pos_xy=3,iter=10, or a name followed by changes. w, xy and rgb are the paper's w1, sigma_alpha
(pixels) and sigma_beta (grey levels); pos_w and pos_xy its w2 and sigma_gamma (pixels). --list-params shows all
settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._lists import add_list_arguments, listed_images
from pydeeplab.cli._nets import add_threads_argument, apply_threads
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.crf import NORMALIZATIONS, PRESETS, CRFParameters, DenseCRF, scores_from_labels
from pydeeplab.crf.files import MAP_SUFFIXES, expand_images, match_files, read_maps
from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.drawing import overlay
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import write_label_png, write_png
from pydeeplab.errors import DataError, UsageError
from pydeeplab.files import atomic_path, make_folder
from pydeeplab.formats.bin_map import write_bin

EXAMPLES = """\
  pydeeplab crf photo.jpg --scores photo.npy -o refined
  pydeeplab crf JPEGImages --scores features/fc8 --params voc12-resnet101 -o refined --overlay
  pydeeplab crf photo.jpg --scores p.npz --scores-are probabilities --params w=5,xy=50,rgb=3 -o refined --probabilities
  pydeeplab crf photo.jpg --labels rough.png --gt-prob 0.7 --iterations 5 -o refined
  pydeeplab crf --list-params
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="pictures, or folders of pictures")
    add_list_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--scores", metavar="PATH", help="a score file, or a folder of them named as the pictures")
    source.add_argument("--labels", metavar="PATH", help="a label map (PNG), or a folder of them named as the pictures")
    source.add_argument("--list-params", action="store_true", help="show the published settings and stop")
    add_out_argument(parser, "DIR", "folder for the results; made if there is none", "--output")
    parser.add_argument(
        "--scores-are",
        choices=("logits", "probabilities", "energies"),
        default="logits",
        help="what the maps hold (default logits); energies are negative logits",
    )
    parser.add_argument("--key", metavar="NAME", help="array of an .npz or variable of a .mat")
    parser.add_argument("--gt-prob", type=float, default=0.7, metavar="P", help="trust in --labels (default 0.7)")
    parser.add_argument(
        "--unknown", type=int, default=255, metavar="LABEL", help="label of unknown pixels (default 255)"
    )
    parser.add_argument("--params", default="voc12-largefov", metavar="TEXT", help="setting (default voc12-largefov)")
    parser.add_argument("--iterations", type=int, metavar="N", help="mean-field iterations (default: the setting's)")
    parser.add_argument("--normalization", choices=NORMALIZATIONS, help="of the kernels (default: the setting's)")
    parser.add_argument(
        "--classes", default="voc12", metavar="SET", help="names and palette: a known set or a file (default voc12)"
    )
    parser.add_argument("--bin", metavar="DIR", help="write DIR/<name>.bin too, as DeepLab's CRF program does")
    parser.add_argument("--overlay", action="store_true", help="write DIR/<name>_overlay.png too")
    parser.add_argument("--probabilities", action="store_true", help="write DIR/<name>.npy too: float32 (C, H, W)")
    add_json_argument(parser)
    add_quiet_argument(parser, "no progress, no table")
    add_threads_argument(parser)
    add_gpu_argument(parser)


def _parameters(args: argparse.Namespace) -> CRFParameters:
    changes = {n: getattr(args, n) for n in ("iterations", "normalization") if getattr(args, n) is not None}
    return replace(CRFParameters.parse(args.params), **changes)


def _read_unary(args: argparse.Namespace, path: Path, classes: ClassSet) -> tuple[NDArray[Any], bool]:
    """Scores or probabilities (C, H, W) from a file, and whether they are probabilities."""
    if args.labels:
        labels = read_label(path, classes.palette)
        return scores_from_labels(labels, len(classes), args.gt_prob, unknown=args.unknown), False
    maps = read_maps(path, args.key)
    return (-maps if args.scores_are == "energies" else maps), args.scores_are == "probabilities"


def _refine_one(
    args: argparse.Namespace, crf: DenseCRF, image: Path, source: Path, classes: ClassSet
) -> dict[str, Any]:
    """Refine one picture, write its results and say what came out."""
    start = time.perf_counter()
    pixels = read_image(image)
    unary, are_probabilities = _read_unary(args, source, classes)
    try:
        crf.check_room(pixels.shape[0], pixels.shape[1], len(unary))
        if are_probabilities:
            q = crf.refine(pixels, probabilities=unary, crop=True)
        else:
            q = crf.refine(pixels, unary, crop=True)
    except DataError as error:
        raise DataError(f"{image} with {source}: {error}") from None
    except MemoryError as error:
        raise MemoryError(f"{image} with {source}: {error}") from None
    labels = q.argmax(axis=0).astype(np.uint8 if len(q) <= 256 else np.int32)
    before = unary[:, : labels.shape[0], : labels.shape[1]].argmax(axis=0)
    target = Path(args.out) / f"{image.stem}.png"
    write_label_png(target, labels, classes.palette)
    if args.bin:
        write_bin(Path(args.bin) / f"{image.stem}.bin", labels)
    if args.overlay:
        clear = () if classes.background is None else (classes.background,)
        write_png(target.with_name(f"{image.stem}_overlay.png"), overlay(pixels, labels, classes.palette, clear=clear))
    if args.probabilities:
        with atomic_path(target.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
            np.save(file, q)
    counts = np.bincount(labels.ravel(), minlength=len(q))
    return {
        "image": str(image),
        "labels": str(target),
        "pixels": {classes.label(int(c)): int(counts[c]) for c in np.flatnonzero(counts)},
        "changed": round(float((labels != before).mean()), 6),
        "seconds": round(time.perf_counter() - start, 4),
    }


def run(args: argparse.Namespace) -> int:
    """Refine all pictures; 1 if some could not be."""
    if args.list_params:
        width = max(map(len, PRESETS))
        print("\n".join(f"{name:{width}}  {params}" for name, params in PRESETS.items()))
        return 0
    given = listed_images(args) or args.images
    if not given or not args.out or not (args.scores or args.labels):
        raise UsageError("give IMAGE... or --list FILE, --scores or --labels, and -o DIR")
    params, classes = _parameters(args), class_set(args.classes)
    apply_threads(args)
    use_gpu(args.gpu)
    images = expand_images(given)
    suffixes = (".png",) if args.labels else MAP_SUFFIXES
    sources = match_files(images, args.labels or args.scores, suffixes, "label maps" if args.labels else "score maps")
    make_folder(args.out)
    if args.bin:
        make_folder(args.bin)
    crf, done, failed = DenseCRF(params), [], 0
    with Progress(len(images), "crf", quiet=args.quiet or prints_json(args)) as progress:
        for image, source in zip(images, sources, strict=True):
            try:
                done.append(_refine_one(args, crf, image, source, classes))
            except (DataError, MemoryError) as error:
                if len(images) == 1:
                    raise
                failed += 1
                print(f"pydeeplab: error: {error}", file=sys.stderr)
            progress.advance(image.name)
    printed = write_json(args, {"params": str(params), "images": done, "failed": failed})
    if done and not (printed or args.quiet):
        rows = [[d["image"], f"{d['seconds']:.2f}", f"{100 * d['changed']:.1f} %", d["labels"]] for d in done]
        header = ["image", "seconds", "changed", "labels"]
        print("\n".join(format_table(header, rows, right=[1, 2], colours=has_colours(sys.stdout))))
    return 1 if failed else 0
