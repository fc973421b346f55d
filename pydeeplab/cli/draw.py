"""draw a net: layers, blobs, windows and learning rates, as .svg, .png, .pdf or .dot

A .dot file is text, written without any help; the other formats are drawn by the program dot of Graphviz. Neither
weights nor data are needed, and placeholders such as ${DATA_ROOT} need no value.
"""

from __future__ import annotations

import argparse
import sys

from pydeeplab.analysis.inputs import complete_defines
from pydeeplab.cli._nets import defines_of, show_notes
from pydeeplab.cli._options import add_out_argument, add_quiet_argument
from pydeeplab.draw import RANK_DIRECTIONS, draw_net_to_file, get_pydot_graph
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.proto import read_net
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab draw voc12/vgg16_largefov -o net.svg
  pydeeplab draw train.prototxt --phase TRAIN --lr-mult --rankdir TB -o net.png
  pydeeplab draw voc12/vgg16_aspp_l > net.dot
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "net", metavar="NET", help="a net prototxt, or the name of one of ours such as voc12/vgg16_aspp_l"
    )
    add_out_argument(parser, "FILE", "the picture; its suffix says the format (default: DOT)", "--output")
    parser.add_argument("--phase", choices=("TRAIN", "TEST", "ALL"), default="ALL", help="draw the layers of one phase")
    parser.add_argument("--rankdir", choices=RANK_DIRECTIONS, default="TB", help="direction (default TB, downwards)")
    parser.add_argument(
        "--lr-mult", "--display_lrm", action="store_true", help="show the learning-rate multiplier of layers"
    )
    add_quiet_argument(parser, "do not say what was converted in an older prototxt")
    parser.add_argument("--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME}")


def run(args: argparse.Namespace) -> int:
    """Draw the net."""
    path = find_net(args.net)
    source = read_net(path, defines=complete_defines(path, defines_of(args)))
    show_notes(source, quiet=args.quiet)
    phase = {"TRAIN": TRAIN, "TEST": TEST, "ALL": None}[args.phase]
    if args.out:
        draw_net_to_file(source, args.out, args.rankdir, phase, args.lr_mult)
    else:
        sys.stdout.write(get_pydot_graph(source, args.rankdir, phase=phase, display_lrm=args.lr_mult).to_string())
    return 0
