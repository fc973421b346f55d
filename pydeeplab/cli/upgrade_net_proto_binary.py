"""convert a caffemodel to the current format, as Caffe's program of that name

IN is a caffemodel of any age; OUT gets the same net and weights, binary, in the current format.
"""

from __future__ import annotations

import argparse

from pydeeplab.cli._upgrades import add_arguments, upgrade_binary

EXAMPLES = """\
  pydeeplab upgrade_net_proto_binary vgg16_v1.caffemodel vgg16.caffemodel
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_arguments(parser, "a caffemodel of any age")


def run(args: argparse.Namespace) -> int:
    """Convert."""
    return upgrade_binary(args)
