"""convert a net's text to the current format, as Caffe's program of that name

IN is a net prototxt of any age; OUT gets it as text in the current format. `pydeeplab upgrade` does the same and more.
"""

from __future__ import annotations

import argparse

from pydeeplab.cli._upgrades import add_arguments, upgrade_text

EXAMPLES = """\
  pydeeplab upgrade_net_proto_text v1_train.prototxt train.prototxt
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_arguments(parser, "a net prototxt of any age")


def run(args: argparse.Namespace) -> int:
    """Convert."""
    return upgrade_text(args, solver=False)
