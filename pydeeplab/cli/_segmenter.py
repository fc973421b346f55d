"""Arguments of a `Segmenter`: which net, how pictures are given to it, and the CRF after it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._nets import add_threads_argument, defines_of
from pydeeplab.data.classes import CLASS_SETS
from pydeeplab.errors import UsageError
from pydeeplab.formats import read_mean
from pydeeplab.net import ENGINES
from pydeeplab.resources import find_weights
from pydeeplab.segmentation import MEAN_BGR
from pydeeplab.segmentation.model import read_model
from pydeeplab.segmentation.tiles import MERGES
from pydeeplab.segmentation.tiling import EXACT
from pydeeplab.segmentation.views import FUSIONS

__all__ = ["DEFAULT_CRF", "add_classes_argument", "add_crf_argument", "add_segmenter_arguments", "segmenter_options"]

DEFAULT_CRF = "voc12-largefov"


def add_segmenter_arguments(parser: argparse.ArgumentParser) -> None:
    """Add two groups: the net, and how pictures are given to it."""
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
    add_gpu_argument(model)

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
        "--overlap",
        metavar="N",
        help="pixels that tiles have in common (default: a quarter), or 'exact': so many that --merge centre gives "
        "what the whole picture gives",
    )
    inputs.add_argument("--merge", choices=MERGES, help="scores where tiles overlap (default average)")
    inputs.add_argument(
        "--scales",
        metavar="S,S,...",
        help="show pictures at these scales, such as 0.5,0.75,1, to a net that does not do so itself",
    )
    inputs.add_argument("--fuse", choices=FUSIONS, help="how the scores of scales become one (default max)")
    inputs.add_argument(
        "--flip", action="store_true", default=None, help="average the scores with those of the mirror image"
    )


def add_crf_argument(parser: argparse._ActionsContainer) -> None:
    """Add --crf[=PARAMS]."""
    parser.add_argument(
        "--crf",
        metavar="PARAMS",
        nargs="?",
        const=DEFAULT_CRF,
        help="refine with a dense CRF: a preset or a file of crf-search, w=..,xy=..,rgb=..,pos_w=..,pos_xy=..,iter=.., "
        f"or both (default {DEFAULT_CRF})",
    )


def add_classes_argument(parser: argparse._ActionsContainer) -> None:
    """Add --classes."""
    parser.add_argument(
        "--classes", metavar="SET", help=f"class names: {', '.join(CLASS_SETS)}, or a file with a name per line"
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


def _overlap(text: str) -> int | str:
    if text == EXACT:
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--overlap wants a number of pixels, or '{EXACT}'; got '{text}'") from None


def segmenter_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `Segmenter`; what is given overrules the model's description (``--crf`` alone does not).

    With --gpu, it will compute there.
    """
    use_gpu(args.gpu)
    if bool(args.model) == bool(args.net):
        raise UsageError("say which net: --net NET --weights FILE, or --model NAME")
    if args.net and not args.weights:
        raise UsageError("a net without weights knows nothing: give --weights FILE")
    options: dict[str, Any] = read_model(args.model) if args.model else {"net": args.net}
    crf = None if args.crf == DEFAULT_CRF and "crf" in options else args.crf
    weights = [find_weights(word) for word in args.weights.split(",")] if args.weights else None
    given = {
        "weights": weights,
        "mean": _mean(args.mean) if args.mean else None,
        "scale": args.scale,
        "order": "rgb" if args.rgb else None,
        "gray": args.gray,
        "tile": args.tile,
        "overlap": None if args.overlap is None else _overlap(args.overlap),
        "merge": args.merge,
        "scales": args.scales.split(",") if args.scales else None,
        "fuse": args.fuse,
        "flip": args.flip,
        "crf": crf,
        "output": args.output,
        "classes": args.classes,
        "defines": defines_of(args),
        "engine": args.engine,
    }
    return options | {name: value for name, value in given.items() if value is not None}
