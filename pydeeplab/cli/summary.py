"""show a net's layers: shapes, parameters, multiply-adds, memory, receptive fields

No weights, images or lists are needed: data layers are replaced by inputs of the size that they crop to, and
placeholders such as ${DATA_ROOT} need no value. Rows are layers that make a blob; what works on it in place is named
beside it and counted with it (--full: a row for each layer).

Columns: window as kernel, with the rate of an atrous convolution (3x3 r12); stride from the input; receptive field
(the input pixels that an element depends on); FOV (the nominal field of view of the classifier's filters, as Table 1
of the DeepLab paper counts it: (kernel - 1) x rate x stride + 32); parameters, each shared one once; multiply-adds of
one forward pass; memory of the new blob in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pydeeplab.analysis import LayerSummary, NetSummary, Parameters, read_without_files, summarise
from pydeeplab.cli._nets import defines_of
from pydeeplab.cli._options import add_json_argument, parse_size, write_json
from pydeeplab.cli._tables import format_table, has_colours, paint
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab summary voc12/vgg16_largefov
  pydeeplab summary voc12/resnet101_aspp_msc --input-size 321x481
  pydeeplab summary prototxt/voc12/vgg16_aspp_l/train.prototxt --phase TRAIN --full
  pydeeplab summary train.prototxt --define NUM_LABELS=21 --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "net", metavar="NET", help="a net prototxt, or the name of one of ours such as voc12/vgg16_aspp_l"
    )
    parser.add_argument("--phase", choices=("TRAIN", "TEST"), default="TEST", help="phase of the net (default TEST)")
    parser.add_argument("--level", type=int, default=0, help="level of the net's state")
    parser.add_argument("--stage", action="append", default=[], help="a stage of the net's state; may be repeated")
    parser.add_argument("--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME}")
    parser.add_argument(
        "--input-size", "--input", metavar="HxW", help="height and width of the images (default: what the net says)"
    )
    parser.add_argument("--full", action="store_true", help="a row for every layer, also in-place and Split layers")
    add_json_argument(parser)


def _summary(args: argparse.Namespace) -> NetSummary:
    size = parse_size(args.input_size, "--input-size")
    source = read_without_files(find_net(args.net), defines=defines_of(args), image_size=size)
    phase = TRAIN if args.phase == "TRAIN" else TEST
    return summarise(Net.from_source(source, phase, level=args.level, stages=args.stage), source.notes)


def _pair(values: Sequence[float] | None) -> str:
    """``3`` for (3, 3), ``3x5`` for (3, 5)."""
    if values is None:
        return ""
    texts = [f"{v:.4g}" if v < 10000 else f"{v:.0f}" for v in values]
    return texts[0] if texts[0] == texts[1] else "x".join(texts)


def _count(number: float) -> str:
    return f"{number:,}".replace(",", " ") if number else ""


def _mebibytes(number: float) -> str:
    return f"{number / 2**20:.1f}" if number else ""


def _window(layer: LayerSummary) -> str:
    if layer.kernel is None or layer.rate is None:
        return ""
    rate = "" if layer.rate == (1, 1) else f" r{_pair(layer.rate)}"
    return "x".join(map(str, layer.kernel)) + rate


def _shape(layer: LayerSummary) -> str:
    shapes = ["x".join(map(str, shape)) or "scalar" for shape in layer.shapes]
    same = len(set(shapes)) == 1 and len(shapes) > 1
    return f"{len(shapes)} of {shapes[0]}" if same else ", ".join(shapes)


def _merge(layers: Sequence[LayerSummary]) -> list[tuple[LayerSummary, list[str], Parameters, int]]:
    """Rows: a layer, the types that follow in place, and the parameters and multiply-adds of all."""
    rows: list[tuple[LayerSummary, list[str], Parameters, int]] = []
    row_of: dict[str, int] = {}
    for layer in layers:
        place = row_of.get(layer.tops[0]) if layer.in_place and layer.tops else None
        if layer.type == "Split":
            continue
        if place is None:
            row_of.update({top: len(rows) for top in layer.tops})
            rows.append((layer, [], layer.parameters, layer.multiply_adds))
        else:
            first, then, parameters, count = rows[place]
            then.append(layer.type)
            rows[place] = (first, then, parameters + layer.parameters, count + layer.multiply_adds)
    return rows


def _print_layers(summary: NetSummary, *, full: bool, colours: bool) -> None:
    header = ["layer", "type", "top", "window", "stride", "field", "FOV", "parameters", "M mult-adds", "MiB"]
    rows = _merge(summary.layers)
    if full:
        rows = [(layer, [], layer.parameters, layer.multiply_adds) for layer in summary.layers]
    cells = []
    for layer, then, parameters, count in rows:
        cells.append(
            [
                layer.name,
                " + ".join([layer.type, *then]),
                _shape(layer),
                _window(layer),
                _pair(layer.step),
                _pair(layer.receptive_field),
                str(layer.field_of_view or ""),
                _count(parameters.total),
                f"{count / 1e6:.1f}" if count else "",
                _mebibytes(layer.activation_bytes),
            ]
        )
    print("\n".join(format_table(header, cells, right=range(4, 10), colours=colours)))


def _kinds(parameters: Parameters, training: bool) -> str:
    """What the parameters are, where there is more than one kind."""
    kinds = [(parameters.learned, "learned"), (parameters.frozen, "frozen")] if training else []
    parts = [f"{_count(number)} {kind}" for number, kind in kinds if number]
    if len(parts) < 2:
        parts = []
    if parameters.statistics:
        parts.append(f"and {_count(parameters.statistics)} BatchNorm statistics")
    return ", ".join(parts)


def _print_totals(summary: NetSummary, colours: bool) -> None:
    p = summary.parameters
    rows = [
        ("parameters", f"{_count(p.weights)} ({p.weights / 1e6:.1f} M)", _kinds(p, summary.phase == "TRAIN")),
        ("weight file", f"{_mebibytes(summary.weight_bytes) or 0} MiB", "float32"),
        ("multiply-adds", f"{summary.multiply_adds / 1e9:.2f} G", "one forward pass"),
        ("activations", f"{_mebibytes(summary.activation_bytes) or 0} MiB", "all kept"),
        (
            "",
            f"{_mebibytes(summary.peak_bytes) or 0} MiB",
            f"reused after the last reader; most at {summary.peak_layer}",
        ),
    ]
    if summary.phase == "TRAIN":
        rows.append(
            (
                "training",
                f"{_mebibytes(summary.training_bytes)} MiB",
                "activations, weights, gradients, momentum; no scratch",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    print()
    for title, value, remark in rows:
        cell = paint(title.ljust(widths[0]), "bold", colours)
        print(f"{cell}  {value.rjust(widths[1])}  {paint(remark, 'dim', colours) if remark else ''}".rstrip())


def _json(summary: NetSummary) -> dict[str, object]:
    values = asdict(summary)
    values["parameters"].update(weights=summary.parameters.weights, total=summary.parameters.total)
    return values


def run(args: argparse.Namespace) -> int:
    """Print the summary."""
    summary = _summary(args)
    if write_json(args, _json(summary)):
        return 0
    colours = has_colours(sys.stdout)
    print(f"{paint(summary.name or args.net, 'bold', colours)}, phase {summary.phase}")
    for note in summary.notes:
        print(paint(note, "yellow", colours))
    print()
    _print_layers(summary, full=args.full, colours=colours)
    _print_totals(summary, colours)
    return 0
