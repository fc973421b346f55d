"""turn a classification net into a dense one for segmentation, with solver and initial weights

Section 3.1 of the DeepLab paper, for any Caffe classification net with convolutions: the last strides become 1, later
windows are stretched by the rate that makes up for them, fully connected layers become convolutions, the classifier is
replaced. NET is a deploy or train_val prototxt, WEIGHTS its weights. The folder -o gets train.prototxt, test.prototxt,
deploy.prototxt, solver.prototxt and, with weights, init.caffemodel.

Heads: without an option, fully connected layers keep their size (VGG-16: 7x7 with rate 4), and nets without any get a
1x1 classifier. --largefov KxK:RATE:CHANNELS thins the first fully connected layer to a KxK window with that rate, and
the hidden ones to so many channels (drawn with --seed). --aspp RATE,RATE,... makes parallel branches of it. Nets
without hidden fully connected layers (ResNet, SqueezeNet) get the window, or the branches, in the classifier.

Windows: `exact` gives the classification net's own values, only denser, whatever the image's size; poolings then have
a rate and say how far their last windows reach out (dilation, overhang), which no other Caffe reads. `deeplab` is what
the authors published: poolings without rates, odd and centred, which every DeepLab Caffe reads.

The table shows each layer's window, stride from the input, rate and receptive field, before -> after, and where its
weights come from: kept, reshaped, decimated, or new (its filler in train.prototxt starts it).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydeeplab.cli._nets import defines_of
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, parse_size, write_json
from pydeeplab.cli._tables import format_table, has_colours, paint
from pydeeplab.densify import ASPP, WINDOWS, Densified, Head, LargeFOV, LayerReport, Plain, Side, densify
from pydeeplab.errors import UsageError
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab densify VGG_ILSVRC_16_deploy.prototxt VGG_ILSVRC_16.caffemodel --classes 21 --largefov 3x3:12:1024 -o dense
  pydeeplab densify ResNet-101-deploy.prototxt ResNet-101.caffemodel --classes 21 --aspp 6,12,18,24 --msc -o dense
  pydeeplab densify squeezenet_deploy.prototxt --classes 2 --output-stride 4 --dry-run
  pydeeplab densify net.prototxt net.caffemodel --classes 21 --windows deeplab -o dense --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("net", metavar="NET", help="prototxt of a classification net")
    parser.add_argument("weights", metavar="WEIGHTS", nargs="?", help="its weights, of any format")
    add_out_argument(parser, "DIR", "folder to write to; made where there is none", "--output")
    parser.add_argument("--classes", type=int, required=True, metavar="N", help="classes, background included")
    parser.add_argument(
        "--output-stride",
        type=int,
        metavar="N",
        help="pixels from one score to the next, down to 1 (default: 8, or the net's own if smaller)",
    )
    head = parser.add_mutually_exclusive_group()
    head.add_argument(
        "--rate", type=int, metavar="N", help="rate of the first fully connected layer, which stays whole"
    )
    head.add_argument("--largefov", metavar="KxK:RATE:CHANNELS", help="thin the fully connected layers: 3x3:12:1024")
    head.add_argument("--aspp", metavar="RATE,...", help="parallel branches of these rates: 6,12,18,24 (:CHANNELS)")
    parser.add_argument("--windows", choices=WINDOWS, default="exact", help="how windows are made dense (exact)")
    parser.add_argument("--msc", action="store_true", help="three copies for inputs at scales 1, 0.75 and 0.5")
    parser.add_argument(
        "--name", default="voc12", metavar="EXP", help="name of the data set, in layers and paths (voc12)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of filters that stay (0)")
    parser.add_argument("--mean", metavar="B,G,R", help="mean that NET's images were less (default: what it says)")
    parser.add_argument("--scale", type=float, metavar="F", help="factor of NET's images (default: what it says, or 1)")
    parser.add_argument(
        "--input-size", "--input", metavar="HxW", help="image size that NET was trained for, where it does not say"
    )
    parser.add_argument("--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME}")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    add_json_argument(parser)
    add_quiet_argument(parser, "print neither the table nor what was written")


def _head(args: argparse.Namespace) -> Head:
    if args.largefov is not None:
        return LargeFOV.parse(args.largefov)
    return ASPP.parse(args.aspp) if args.aspp is not None else Plain(args.rate)


def _mean(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--mean wants numbers with commas between, such as 104,117,123; got '{text}'") from None


def _pair(values: Sequence[float] | None) -> str:
    """``3`` for (3, 3), ``3x5`` for (3, 5), nothing for None."""
    if values is None:
        return ""
    texts = [f"{v:g}" for v in values]
    return texts[0] if texts[0] == texts[1] else "x".join(texts)


def _change(row: LayerReport, name: str) -> str:
    """A value before -> after, or once where it is the same."""
    sides = [side for side in (row.old, row.new) if side is not None]
    texts = [_cell(side, name) for side in sides]
    return texts[0] if len(set(texts)) == 1 else " -> ".join(t or "-" for t in texts)


def _cell(side: Side, name: str) -> str:
    if name == "window":
        return "" if side.window is None else "x".join(map(str, side.window))
    if name == "rate":
        return "" if side.window is None else _pair(side.rate)
    return _pair(getattr(side, name)) or ("all" if name == "field" else "")


def _print_layers(result: Densified, colours: bool) -> None:
    header = ["layer", "type", "window", "stride", "rate", "field", "weights"]
    cells = []
    for row in result.layers:
        if row.new is None:
            weights = f"dropped: {row.remark}"
        else:
            other = f" from {row.origin}" if row.origin not in ("", row.name) else ""
            weights = row.weights + other
            if row.weights and row.weights != "new" and result.weights is not None and not row.in_file:
                weights = "not in the weight file"
        changes = [_change(row, name) if row.new else "" for name in ("window", "stride", "rate", "field")]
        cells.append([row.name, row.type, *changes, weights])
    print("\n".join(format_table(header, cells, colours=colours)))


def _summary(result: Densified) -> list[str]:
    grid = result.grid
    kinds = Counter(row.weights for row in result.layers if row.weights)
    lines = [
        "weights of layers: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        f"output stride {result.output_stride}; windows on the last map have rate {_pair(result.rate)}; images of "
        f"{result.size_step}k+1; scores in blob '{result.scores}'",
    ]
    if result.exact:
        lines.append("the trunk computes what the classification net computes, only more densely")
    if grid.pad_begin or grid.pad_end:
        lines.append(
            f"{grid.pad_begin} pixels of zeros before and {grid.pad_end} behind the image lay the scores on the pixels"
        )
    if grid.cut_begin or grid.cut_end:
        lines.append(f"{grid.cut_begin} rows before and {grid.cut_end} behind are cut off the last map, likewise")
    return lines + result.notes


def _json(result: Densified, files: Sequence[str]) -> dict[str, Any]:
    values = {key: getattr(result, key) for key in ("name", "output_stride", "rate", "size_step", "scores", "exact")}
    return {
        **values,
        "grid": asdict(result.grid),
        "layers": [asdict(row) for row in result.layers],
        "not_in_weights": result.absent,
        "notes": result.notes,
        "files": list(files),
    }


def run(args: argparse.Namespace) -> int:
    """Do what the arguments ask."""
    if args.out is None and not args.dry_run:
        raise UsageError("say where to write: -o DIR, or --dry-run to write nothing")
    result = densify(
        find_net(args.net),
        args.weights,
        classes=args.classes,
        output_stride=args.output_stride,
        head=_head(args),
        windows=args.windows,
        multi_scale=args.msc,
        experiment=args.name,
        seed=args.seed,
        mean=_mean(args.mean),
        scale=args.scale,
        image_size=parse_size(args.input_size, "--input-size"),
        defines=defines_of(args),
    )
    files = [] if args.dry_run else [str(path) for path in result.write(args.out)]
    if write_json(args, _json(result, files), as_text=True) or args.quiet:
        return 0
    colours = has_colours(sys.stdout)
    _print_layers(result, colours)
    print()
    for line in _summary(result):
        print(line)
    for path in files:
        print(f"wrote {paint(path, 'bold', colours)}")
    if files and result.weights is None:
        print("no weights were given: there is no init.caffemodel to start training from")
    return 0
