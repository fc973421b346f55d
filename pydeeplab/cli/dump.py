"""record every blob of a net, for later comparison

Runs a net and writes its inputs, all blobs, and with --backward all gradients, to an .npz or .h5 file that
`pydeeplab compare` reads. With --script it prints the short program that records the same in reference Caffe, on a
machine that has it.
"""

from __future__ import annotations

import argparse

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._nets import add_net_arguments, load_net, read_inputs
from pydeeplab.cli._options import add_out_argument
from pydeeplab.compare import dump_script, record, write_dump
from pydeeplab.errors import UsageError
from pydeeplab.files import check_target

EXAMPLES = """\
  pydeeplab dump deploy.prototxt net.caffemodel --input photo.jpg -o ours.npz
  pydeeplab dump deploy.prototxt net.caffemodel --input data=in.npy --backward -o ours.h5
  pydeeplab dump --script > record.py      # then, where Caffe is: python record.py NET WEIGHTS INPUTS.npz caffe.npz
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_net_arguments(parser, engine="CAFFE")
    net = next(a for a in parser._actions if a.dest == "net")
    net.nargs, net.required = "?", False
    add_gpu_argument(parser)
    add_out_argument(parser, "FILE", ".npz or .h5 to write", "--output")
    parser.add_argument(
        "--input", metavar="[BLOB=]FILE", action="append", default=[], help=".npy, .npz or an image; else random"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random inputs (default 0)")
    parser.add_argument("--backward", action="store_true", help="record gradients too")
    parser.add_argument("--params", action="store_true", help="record the parameters too")
    parser.add_argument("--script", action="store_true", help="print the program that records in reference Caffe")


def run(args: argparse.Namespace) -> int:
    """Record, or print the script."""
    if args.script:
        print(dump_script(), end="")
        return 0
    if not args.net or not args.out:
        raise UsageError("give NET and -o FILE (or --script)")
    check_target(args.out)
    use_gpu(args.gpu)
    net = load_net(args)
    dump = record(net, read_inputs(net, args.input, args.seed), backward=args.backward, params=args.params)
    write_dump(args.out, dump)
    if not args.quiet:
        print(f"{args.out}: {sum(1 for _ in dump.items())} arrays")
    return 0
