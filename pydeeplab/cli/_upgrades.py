"""What Caffe's three upgrade programs share: the arguments IN and OUT, handed on to `pydeeplab upgrade`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydeeplab.cli import upgrade
from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.errors import UsageError
from pydeeplab.proto.text import is_binary

__all__ = ["add_arguments", "upgrade_binary", "upgrade_text"]


def add_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add IN and OUT."""
    parser.add_argument("source", metavar="IN", type=Path, help=what)
    parser.add_argument("target", metavar="OUT", type=Path, help="where the result goes; may be IN itself")
    add_quiet_argument(parser, "do not say what was converted and written")


def _upgrade(args: argparse.Namespace, *, binary: bool, solver: bool) -> int:
    options = {"define": [], "quiet": args.quiet, "solver": solver, "binary": binary, "text": not binary}
    return upgrade.run(argparse.Namespace(source=args.source, target=args.target, **options))


def _is_binary(path: Path) -> bool:
    return path.is_file() and is_binary(path.read_bytes())


def upgrade_text(args: argparse.Namespace, *, solver: bool) -> int:
    """Upgrade a text to text."""
    if _is_binary(args.source):
        raise UsageError(f"{args.source} is binary, not text; use `pydeeplab upgrade_net_proto_binary`")
    return _upgrade(args, binary=False, solver=solver)


def upgrade_binary(args: argparse.Namespace) -> int:
    """Upgrade a binary net to binary."""
    if args.source.is_file() and not _is_binary(args.source):
        raise UsageError(f"{args.source} is text, not binary; use `pydeeplab upgrade_net_proto_text`")
    return _upgrade(args, binary=True, solver=False)
