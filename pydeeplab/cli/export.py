"""write a net with its weights as an ONNX inference graph

Every layer of the DeepLab nets, and of most others, is said in ONNX's operators with Caffe's numbers: sizes of
poolings, divisors of averages, aligned corners of resizing. Shared parameters are stored once. A layer without
counterpart is refused by name.

Needs the package onnx (pip install 'pydeeplab[onnx]'); --check also onnxruntime (pip install 'pydeeplab[onnx-check]').
The exit code is 1 when --check finds more than the tolerance.
"""

from __future__ import annotations

import argparse
from typing import Any

from pydeeplab.cli._nets import add_net_arguments, load_net
from pydeeplab.cli._options import add_json_argument, parse_size, prints_json, write_json
from pydeeplab.errors import UsageError
from pydeeplab.export import check_onnx, export_onnx
from pydeeplab.net import Net

EXAMPLES = """\
  pydeeplab export voc12/resnet101_aspp_msc train2_iter_20000.caffemodel --onnx deeplab.onnx
  pydeeplab export deploy.prototxt net.caffemodel --onnx net.onnx --input-size 321x321 --check
  pydeeplab export deploy.prototxt net.caffemodel --onnx net.onnx --dynamic --opset 13
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_net_arguments(parser, weights="required")
    parser.add_argument("--onnx", metavar="FILE", required=True, help="the file to write")
    parser.add_argument("--opset", type=int, default=17, help="version of ONNX's operators, from 13 on (default 17)")
    parser.add_argument("--dynamic", action="store_true", help="leave the batch, height and width open")
    parser.add_argument("--input-size", metavar="HxW", help="height and width of the image inputs")
    parser.add_argument("--check", action="store_true", help="run ONNX Runtime on random input and compare with us")
    parser.add_argument(
        "--tolerance", type=float, default=1e-4, help="for --check: largest error over the largest value (1e-4)"
    )
    add_json_argument(parser)


def _resize(net: Net, size: tuple[int, int]) -> None:
    images = [net.blobs[name] for name in net.inputs if len(net.blobs[name].shape) == 4]
    if not images:
        raise UsageError("--input-size: the net has no input of 4 axes")
    for blob in images:
        blob.reshape(*blob.shape[:2], *size)
    net.reshape()


def run(args: argparse.Namespace) -> int:
    """Export, and check if asked."""
    size = parse_size(args.input_size, "--input-size")
    net = load_net(args, keep="outputs")
    if size is not None:
        _resize(net, size)
    graph = export_onnx(net, args.onnx, opset=args.opset, dynamic=args.dynamic)
    result: dict[str, Any] = {
        "file": args.onnx,
        "opset": graph.opset,
        "operations": len(graph.operations),
        "parameter_bytes": graph.nbytes,
        "inputs": {value.name: value.shape for value in graph.inputs},
        "outputs": {value.name: value.shape for value in graph.outputs},
    }
    text = not (args.quiet or prints_json(args))
    if text:
        print(f"{args.onnx}: {len(graph.operations)} operations, {graph.nbytes / 1e6:.1f} MB of parameters")
        for kind in ("inputs", "outputs"):
            print(f"  {kind}: " + ", ".join(f"{name} {'x'.join(map(str, s))}" for name, s in result[kind].items()))
    failed = False
    if args.check:
        errors = check_onnx(args.onnx, net)
        failed = not all(error.relative <= args.tolerance for error in errors)
        result["check"] = {error.name: float(error.relative) for error in errors}
        if text or (failed and not prints_json(args)):
            for error in errors:
                print(f"  ONNX Runtime: {error.name} differs by {error.relative:.3g} of its largest value")
            print("  they DIFFER" if failed else f"  all within {args.tolerance:g}")
    write_json(args, result)
    return 1 if failed else 0
