"""segment scenes that pydeeplab draws itself, before and after the CRF, and show them

The scenes (discs, squares, triangles, stars and bars over clutter) come from a seed, so that nothing is downloaded; the
net is prototxt/tiny/aspp, a DeepLab-ASPP in miniature with weights trained on other such scenes. Writes the pictures,
their label maps and demo.png, a sheet of all, and prints the scores over many more scenes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from pydeeplab.cli._nets import add_threads_argument, apply_threads
from pydeeplab.cli._progress import track
from pydeeplab.data.palette import write_png
from pydeeplab.data.synthetic import CLASSES, IGNORE, scene
from pydeeplab.errors import UsageError
from pydeeplab.evaluation import ConfusionMatrix
from pydeeplab.evaluation.sheet import contact_sheet
from pydeeplab.files import make_folder
from pydeeplab.segmentation import Segmentation, Segmenter
from pydeeplab.segmentation.model import read_model

EXAMPLES = """\
  pydeeplab demo
  pydeeplab demo -o pictures --scenes 8 --json
"""

SIZE = (241, 321)
TITLES = ("picture", "truth", "net", "net and CRF")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, default=Path("demo"), help="folder (default: demo)")
    parser.add_argument("--scenes", type=int, default=4, help="scenes to write and show (default 4)")
    parser.add_argument("--scored", type=int, default=40, help="scenes to score, those shown among them (default 40)")
    parser.add_argument("--seed", type=int, default=1000, help="number of the first scene (default 1000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_threads_argument(parser)


def _error_share(truth: np.ndarray, predicted: np.ndarray) -> str:
    counted = truth != IGNORE
    return f"{100 * (truth != predicted)[counted].mean():.1f} % of pixels wrong"


def run(args: argparse.Namespace) -> int:
    """Draw, segment, score, write."""
    if not 1 <= args.scenes <= args.scored:
        raise UsageError("--scenes must be at least 1 and no more than --scored")
    apply_threads(args)
    model = read_model("shapes")
    crf = model.pop("crf")
    variants = {"net": Segmenter(**model), "net and CRF": Segmenter(**model, crf=crf)}
    scores = {name: ConfusionMatrix(len(CLASSES), IGNORE) for name in variants}
    make_folder(args.out)
    rows, captions = [], []
    for index in track(range(args.scored), args.scored, "segmenting", quiet=args.json):
        image, truth = scene(args.seed + index, *SIZE)
        results = {name: segmenter(image, probabilities=False) for name, segmenter in variants.items()}
        for name, result in results.items():
            scores[name].update(truth, result.labels)
        if index < args.scenes:
            stem = args.out / f"scene_{index + 1}"
            write_png(stem.with_suffix(".png"), image)
            results["net and CRF"].save(f"{stem}_labels.png")
            classes = results["net"].classes
            rows.append([image, Segmentation(truth, None, classes).colors(), *(r.colors() for r in results.values())])
            captions.append(["", "", *(_error_share(truth, r.labels) for r in results.values())])
    write_png(args.out / "demo.png", contact_sheet(rows, TITLES, captions))
    _report(scores, args)
    return 0


def _report(scores: dict[str, ConfusionMatrix], args: argparse.Namespace) -> None:
    if args.json:
        json.dump({name: {"mean_iou": s.mean_iou(), "iou": s.iou().tolist()} for name, s in scores.items()}, sys.stdout)
        print()
        return
    print(f"intersection over union on {args.scored} scenes, in per cent:")
    print(f"{'':<14}" + "".join(f"{name:>14}" for name in scores))
    for index, name in enumerate(CLASSES):
        print(f"{name:<14}" + "".join(f"{100 * s.iou()[index]:>14.1f}" for s in scores.values()))
    print(f"{'mean':<14}" + "".join(f"{100 * s.mean_iou():>14.1f}" for s in scores.values()))
    print(f"pictures: {args.out / 'demo.png'}")
