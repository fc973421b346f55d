"""compare a net, blob by blob, with reference Caffe: recorded, or live beside us

Runs the net and shows, for every blob, the largest absolute error, the error relative to the blob's largest value, and
the error in units in the last place; names the first layer out of tolerance, forward or backward. The exit code is 0
if all agree and 1 if not. --html writes a page with a map of the errors in each blob.

--reference DUMP takes the other side from a file: an .npz or .h5 (keys in/<blob>, data/<blob>, and diff/<blob>,
pdiff/<layer>/<i> for gradients) or a folder of .mat files as MatWrite writes them. `pydeeplab dump` records one;
`pydeeplab dump --script` prints the program that records one in Caffe.

--caffe PATH runs a pycaffe, the one that `import caffe` finds in PATH, in a process of its own on the same net, weights
and input. Without WEIGHTS both get the same random ones. A net without a loss is run backward through all layers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
from pathlib import Path

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._nets import add_net_arguments, apply_threads, defines_of, load_net, read_inputs
from pydeeplab.cli._options import add_json_argument, write_json
from pydeeplab.cli._spellings import split_stages
from pydeeplab.compare import BlobError, Comparison, Dump, compare, read_dump
from pydeeplab.compare.html import write_html
from pydeeplab.compare.live import find_pycaffe, record_live
from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.proto import read_net, write_text
from pydeeplab.resources import find_net
from pydeeplab.seeding import seed_params

EXAMPLES = """\
  pydeeplab compare deploy.prototxt net.caffemodel --reference caffe.npz
  pydeeplab compare deploy.prototxt net.caffemodel --reference features/ --tolerance 1e-4
  pydeeplab compare deploy.prototxt net.caffemodel --reference caffe.npz --json | jq .first_departure
  pydeeplab compare deploy.prototxt net.caffemodel --caffe ~/caffe/python --input photo.jpg --html errors.html
  pydeeplab compare deploy.prototxt --caffe ~/caffe/python --python /usr/bin/python3.8
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_net_arguments(parser, engine="CAFFE")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--reference", metavar="DUMP", help=".npz, .h5 or a folder of .mat files")
    other.add_argument("--caffe", metavar="PATH", help="a folder from which Python can `import caffe`")
    parser.add_argument("--python", metavar="EXE", default=sys.executable, help="--caffe: the interpreter to run")
    parser.add_argument(
        "--input",
        metavar="[BLOB=]FILE",
        action="append",
        default=[],
        help="--caffe: .npy, .npz or an image; else random",
    )
    parser.add_argument("--seed", type=int, default=0, help="--caffe: seed of random inputs and weights (default 0)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="--caffe: give up after so long")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="largest relative error (default 1e-5)")
    parser.add_argument(
        "--forward-only", action="store_true", help="do not compare gradients even if the dump has them"
    )
    add_gpu_argument(parser)
    parser.add_argument("--html", metavar="FILE", help="write an HTML page with maps of the errors")
    add_json_argument(parser)


def _row(error: BlobError) -> str:
    mark = "   " if error.within else "***"
    if error.shape != error.expected_shape:
        return f"{mark} {error.key:<40} shape {error.shape}, recorded {error.expected_shape}"
    numbers = f"{error.max_abs:>11.3e} {error.relative:>11.3e} {error.ulps:>12.0f}"
    return f"{mark} {error.key:<40} {numbers}  {', '.join(error.layers)}"


def _print(result: Comparison) -> None:
    print(f"    {'array':<40} {'max abs':>11} {'relative':>11} {'ulps':>12}  layers")
    for error in result.errors:
        print(_row(error))
    for label, names in (("not in the dump", result.not_recorded), ("not in the net", result.not_in_net)):
        if names:
            text = f"{label}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"
            print(textwrap.fill(text, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))
    if result.agrees:
        print(f"all {len(result.errors)} arrays agree within {result.tolerance:g}")
    for first, title in zip(result.departures, ("first departure", "first departure backward"), strict=False):
        print(
            f"{title}: {first.key}, made by {', '.join(first.layers)}: "
            f"relative error {first.relative:.3g}, tolerance {result.tolerance:g}"
        )


def _load_for_live(args: argparse.Namespace) -> tuple[Net, str]:
    """The net, and the text of it to give to the other Caffe.

    A net without a loss is run backward through all layers, where Caffe would leave all gradients zero.
    """
    apply_threads(args)
    file = find_net(args.net)
    source = read_net(file, defines=defines_of(args))
    has_loss = any(layer.type.endswith("Loss") or any(layer.loss_weight) for layer in source.param.layer)
    force = not (args.forward_only or has_loss or source.param.force_backward)
    source.param.force_backward |= force
    phase = TRAIN if args.phase == "TRAIN" else TEST
    net = Net.from_source(source, phase, level=args.level, stages=args.stage, engine=args.engine)
    if args.weights:
        net.copy_from(args.weights)
    else:
        seed_params(net, args.seed)
    if args.define or args.level or args.stage:
        return net, write_text(net.source.param)
    return net, ("force_backward: true\n" if force else "") + file.read_text(encoding="utf-8")


def _run_live(args: argparse.Namespace) -> tuple[Net, Dump]:
    """The net, and the dump of the pycaffe that the arguments name."""
    find_pycaffe(args.caffe)
    net, text = _load_for_live(args)
    inputs = read_inputs(net, args.input, args.seed) if net.inputs or args.input else {}
    options = {"backward": not args.forward_only, "python": args.python, "timeout": args.timeout}
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", encoding="utf-8") as theirs:
        theirs.write(text)
        theirs.flush()
        return net, record_live(net, Path(theirs.name), inputs, args.caffe, **options)


def run(args: argparse.Namespace) -> int:
    """Compare, print, and return 0 if all agree."""
    if not args.tolerance > 0:
        raise UsageError(f"--tolerance must be positive, got {args.tolerance:g}")
    args.stage = split_stages(args.stage)
    use_gpu(args.gpu)
    if args.reference is not None:
        dump = read_dump(args.reference)
        net = load_net(args)
    else:
        net, dump = _run_live(args)
    result = compare(net, dump, tolerance=args.tolerance, backward=False if args.forward_only else None)
    if args.html:
        write_html(args.html, net, dump, result, reference=args.reference or f"the Caffe in {args.caffe}")
    if not write_json(args, result.to_json()):
        _print(result)
    return 0 if result.agrees else 1
