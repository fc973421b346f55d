"""convert, list and compare weights, solver states and mean files

Weights are read from .caffemodel (of any age and fork), .caffemodel.h5 and .npz, told apart by content, and
written in the format that the suffix of OUT names. PyTorch's .pth and .safetensors are read too, if they are state
dicts of a port of DeepLab v2's ResNet-101 or have Caffe's layer names; --net, with the deploy prototxt that they are
for, names the classifier and tells what was mapped and what was not. Solver states go between .solverstate and
.solverstate.h5, means between .binaryproto and .npy. Old files come out in the current format, with current shapes. The
parameters of layers (strides and so on) survive only from .caffemodel to .caffemodel; --net brings them back.

The exit code is 1 when --diff finds a difference.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pydeeplab.cli._imported import import_report, print_import
from pydeeplab.cli._nets import defines_of
from pydeeplab.cli._options import add_json_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.errors import UsageError
from pydeeplab.files import check_target
from pydeeplab.formats import (
    WeightsFile,
    read_mean,
    read_solver_state,
    read_weights,
    save_weights,
    write_mean,
    write_solver_state,
)
from pydeeplab.formats.blobproto import read_file
from pydeeplab.formats.inspect import Difference, Statistics, compare_arrays, statistics
from pydeeplab.formats.sniff import identify
from pydeeplab.formats.weights import describe_shape
from pydeeplab.proto import parse_binary_net, read_net
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab convert init.caffemodel --list
  pydeeplab convert old_v1.caffemodel new.caffemodel
  pydeeplab convert train_iter_20000.caffemodel weights.npz --sha256
  pydeeplab convert shared.caffemodel.h5 full.caffemodel --net train.prototxt
  pydeeplab convert a.caffemodel --diff b.caffemodel.h5 --tolerance 1e-6
  pydeeplab convert deeplabv2_resnet101_msc.pth deeplab.caffemodel --net voc12/resnet101_aspp_msc
  pydeeplab convert mean.binaryproto mean.npy
"""

_SUFFIXES = {
    "weights": (".caffemodel", ".h5", ".hdf5", ".npz"),
    "solver state": (".solverstate", ".h5"),
    "mean": (".binaryproto", ".npy"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("input", metavar="IN", help="weights, solver state or mean")
    parser.add_argument("output", metavar="OUT", nargs="?", help="file to write; its suffix chooses the format")
    parser.add_argument(
        "--net",
        metavar="NET",
        help="prototxt or name of one of ours: gives layers their parameters, .h5 its shared blobs",
    )
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in the net"
    )
    parser.add_argument("--list", action="store_true", help="print every blob: shape, smallest, largest, mean, NaN")
    parser.add_argument("--diff", metavar="OTHER", help="compare with another file, of any format")
    parser.add_argument(
        "--tolerance", type=float, default=0.0, metavar="T", help="for --diff, of the largest value (0)"
    )
    parser.add_argument("--sha256", action="store_true", help="print checksums of the files")
    add_json_argument(parser)
    add_quiet_argument(parser, "do not say what was written")


@dataclass
class _Content:
    """A file of any of the three kinds as named arrays; ``save`` writes it elsewhere."""

    kind: str
    facts: dict[str, Any]
    arrays: list[tuple[str, NDArray[Any]]]
    save: Callable[[str], None]
    weights: WeightsFile | None = None


def _read(path: str, net: Any = None) -> _Content:
    if path.removesuffix(".h5").endswith(".solverstate"):
        state = read_solver_state(path)
        facts = {"iter": state.iter, "current_step": state.current_step, "learned_net": state.learned_net}
        history = [(f"history/{i}", array) for i, array in enumerate(state.history)]
        return _Content("solver state", facts, history, lambda out: write_solver_state(out, state))
    if path.endswith(".binaryproto") or identify(path) == "npy":
        mean = read_mean(path)
        return _Content("mean", {}, [("mean", mean)], lambda out: write_mean(out, mean))
    weights = read_weights(path, None if net is None else [layer.name for layer in net.layer])
    facts = {
        "format": weights.format,
        "net": weights.net_name,
        "layers": len(weights.layers),
        "layers_with_parameters": len(weights.with_blobs()),
        "parameters": weights.count,
    }
    return _Content("weights", facts, weights.named(), lambda out: save_weights(out, weights, net), weights)


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print_list(path: str, content: _Content, rows: list[tuple[str, Statistics]]) -> None:
    facts = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in content.facts.items() if value != "")
    print(f"{path}: {content.kind}" + (f" ({facts})" if facts else ""))
    cells = [
        [
            name,
            describe_shape(row.shape),
            *("" if value is None else f"{value:.5g}" for value in (row.min, row.max, row.mean)),
            str(row.nonfinite or ""),
        ]
        for name, row in rows
    ]
    if cells:
        header = ["blob", "shape", "smallest", "largest", "mean", "NaN or Inf"]
        print("\n".join(format_table(header, cells, right=[1, 2, 3, 4, 5], colours=has_colours(sys.stdout))))


def _print_diff(first: str, second: str, result: Difference, facts: dict[str, Any]) -> None:
    for gap in result.gaps:
        a, b = gap.shapes
        if gap.relative is None:
            print(f"  {gap.name}: shapes {describe_shape(a)} and {describe_shape(b)}")
        else:
            share = f"{gap.values} of {math.prod(a)} values differ"
            print(f"  {gap.name}: {share}, by up to {gap.relative:.3g} of the largest")
    for key, (ours, theirs) in facts.items():
        print(f"  {key}: {ours} and {theirs}")
    for path, names in ((first, result.only_in_first), (second, result.only_in_second)):
        if names:
            print(f"  only in {path}: {', '.join(names)}")
    verdict = "differ" if result or facts else "hold the same"
    print(f"{first} and {second} {verdict}: {len(result.equal)} blobs equal, {len(result.gaps)} not")


def _check_output(output: str, kind: str) -> None:
    suffixes = _SUFFIXES[kind]
    if Path(output).suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {kind} to '{output}': its suffix must be one of {', '.join(suffixes)}")


def _net(args: argparse.Namespace) -> Any:
    """The NetParameter of --net, or that within IN if both files are caffemodels; else None."""
    if args.net is not None:
        return read_net(find_net(args.net), defines=defines_of(args)).param
    both = args.output and args.output.endswith(".caffemodel") and args.input.endswith(".caffemodel")
    if both and identify(args.input) == "binary":
        return parse_binary_net(read_file(args.input), filename=args.input)
    return None


def run(args: argparse.Namespace) -> int:
    """Do what the arguments ask."""
    if not (args.output or args.list or args.diff or args.sha256):
        raise UsageError("nothing to do: name a file to write, or add --list, --diff or --sha256")
    net = _net(args)
    content = _read(args.input, net)
    if args.output:
        _check_output(args.output, content.kind)
        check_target(args.output)
    rows = [(name, statistics(array)) for name, array in content.arrays]
    result: dict[str, Any] = {"input": args.input, "kind": content.kind, **content.facts}
    text = not prints_json(args)
    if content.weights and content.weights.format == "torch":
        result["import"] = import_report(content.weights, args.net)
        if text:
            print_import(content.weights, result["import"])
    if args.list:
        result["blobs"] = [{"blob": name, **dataclasses.asdict(row)} for name, row in rows]
        if text:
            _print_list(args.input, content, rows)
    differs = False
    if args.diff:
        other = _read(args.diff, net)
        difference = compare_arrays(dict(content.arrays), dict(other.arrays), args.tolerance)
        pairs = {key: (content.facts.get(key), other.facts.get(key)) for key in ("iter", "current_step")}
        facts = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        differs = bool(difference) or bool(facts)
        result |= {"other": args.diff, "differs": differs, "diff": {**dataclasses.asdict(difference), "facts": facts}}
        if text:
            _print_diff(args.input, args.diff, difference, facts)
    if args.output:
        content.save(args.output)
        result["output"] = args.output
        if text and not args.quiet:
            print(f"wrote {args.output}: {len(rows)} blobs, {sum(array.size for _, array in content.arrays)} values")
    if args.sha256:
        result["sha256"] = {name: _sha256(name) for name in (args.input, args.diff, args.output) if name}
        if text:
            print("\n".join(f"{digest}  {name}" for name, digest in result["sha256"].items()))
    bad = [name for name, row in rows if row.nonfinite]
    if bad:
        print(f"warning: NaN or Inf in {', '.join(bad[:6])}{' and more' if len(bad) > 6 else ''}", file=sys.stderr)
    write_json(args, result, as_text=True)
    return 1 if differs else 0
