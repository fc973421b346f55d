"""Pictures named by a list file instead of on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydeeplab.data.lists import read_lines
from pydeeplab.errors import UsageError

__all__ = ["add_list_arguments", "listed_images"]


def add_list_arguments(parser: argparse._ActionsContainer) -> None:
    """Add --list and --root."""
    parser.add_argument("--list", metavar="FILE", help="instead of IMAGE: a list with an image first in each line")
    parser.add_argument("--root", metavar="DIR", default="", help="folder of the list's paths")


def listed_images(args: argparse.Namespace) -> list[str] | None:
    """The images of --list below --root, whose paths may begin with a slash; None where there is no list.

    Raises
    ------
    UsageError
        Images are given as well, or --root without --list.
    """
    if not args.list:
        if args.root:
            raise UsageError("--root is the folder of a list's paths: give --list FILE too")
        return None
    if args.images:
        raise UsageError("name pictures or give a --list of them, not both")
    first = [line.split()[0] for _, line in read_lines(args.list)]
    return [str(Path(args.root) / name.lstrip("/")) if args.root else name for name in first]
