"""convert a solver's text to the current format, as Caffe's program of that name

IN is a solver prototxt of any age (solver_type: ADAM); OUT gets it as text in the current format (type: "Adam").
"""

from __future__ import annotations

import argparse

from pydeeplab.cli._upgrades import add_arguments, upgrade_text

EXAMPLES = """\
  pydeeplab upgrade_solver_proto_text old_solver.prototxt solver.prototxt
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_arguments(parser, "a solver prototxt of any age")


def run(args: argparse.Namespace) -> int:
    """Convert."""
    return upgrade_text(args, solver=True)
