"""compare a net, blob by blob, with what reference Caffe recorded

Runs the net on the inputs of a dump and shows, for every blob that the dump holds, the largest absolute error, the
error relative to the blob's largest value, and the error in units in the last place; names the first layer out of
tolerance. The exit code is 0 if all agree and 1 if not.

A dump is an .npz or .h5 (keys in/<blob>, data/<blob>, and diff/<blob>, pdiff/<layer>/<i> for gradients) or a folder of
.mat files as MatWrite writes them. `pydeeplab dump` records one; `pydeeplab dump --script` prints the program that
records one in Caffe.
"""

from __future__ import annotations

import argparse
import json
import sys

from pydeeplab.cli._nets import add_net_arguments, load_net
from pydeeplab.compare import BlobError, Comparison, compare, read_dump

EXAMPLES = """\
  pydeeplab compare deploy.prototxt net.caffemodel --reference caffe.npz
  pydeeplab compare deploy.prototxt net.caffemodel --reference features/ --tolerance 1e-4
  pydeeplab compare deploy.prototxt net.caffemodel --reference caffe.npz --json | jq .first_departure
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_net_arguments(parser, weights="required", engine="CAFFE")
    parser.add_argument("--reference", metavar="DUMP", required=True, help=".npz, .h5 or a folder of .mat files")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="largest relative error (default 1e-5)")
    parser.add_argument(
        "--forward-only", action="store_true", help="do not compare gradients even if the dump has them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


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
            print(f"{label}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}")
    first = result.first_departure
    if first is None:
        print(f"all {len(result.errors)} arrays agree within {result.tolerance:g}")
    else:
        print(
            f"first departure: {first.key}, made by {', '.join(first.layers)}: "
            f"relative error {first.relative:.3g}, tolerance {result.tolerance:g}"
        )


def run(args: argparse.Namespace) -> int:
    """Compare, print, and return 0 if all agree."""
    dump = read_dump(args.reference)
    result = compare(load_net(args), dump, tolerance=args.tolerance, backward=False if args.forward_only else None)
    if args.json:
        json.dump(result.to_json(), sys.stdout, indent=1)
        print()
    else:
        _print(result)
    return 0 if result.agrees else 1
