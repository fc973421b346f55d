"""Options that mean the same in every command that has them: --json, --quiet, -o, sizes; and what to do about them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pydeeplab.errors import UsageError
from pydeeplab.files import check_target, write_text
from pydeeplab.json_values import is_json_file, json_text

__all__ = [
    "SHARED_OPTIONS",
    "add_json_argument",
    "add_out_argument",
    "add_quiet_argument",
    "check_json",
    "parse_size",
    "prints_json",
    "write_json",
]

_STDOUT = "-"

SHARED_OPTIONS = """\
options that mean the same in every command that has them:
  --json [FILE]        print the results as JSON in place of text, or write them
                       to FILE beside the text (a name that ends in .json; any
                       other as --json=FILE)
  --quiet              no progress, no remarks; results, warnings and errors
                       are shown
  -o, --out PATH       the file or folder for what is made
  --threads N          threads to compute with (default: all cores, or
                       OMP_NUM_THREADS)
  --gpu ID             compute on this GPU
  --engine ENGINE      how convolutions compute: DEFAULT (the fastest way),
                       CAFFE (Caffe's way), CUDNN
  --define NAME=VALUE  the value for ${NAME} in prototxts; may be repeated
  --debug              show the whole traceback of an error

exit codes:
  0    all went well
  1    it failed, or for some pictures (the others are done), or a comparison
       or check found a difference or an error
  2    wrong usage
  130  interrupted by Ctrl-C (train, by other signals: 128 + their number)
"""


def add_json_argument(parser: argparse._ActionsContainer) -> None:
    """Add --json [FILE]; its value is None, or a file's name, or ``-``."""
    parser.add_argument(
        "--json", metavar="FILE", nargs="?", const=_STDOUT, help="print JSON in place of text; or write it to FILE.json"
    )


def add_quiet_argument(parser: argparse._ActionsContainer, leaves_out: str = "no progress and no remarks") -> None:
    """Add --quiet; say what it leaves out."""
    parser.add_argument("--quiet", action="store_true", help=leaves_out)


def add_out_argument(
    parser: argparse._ActionsContainer, metavar: str, help: str, *other_names: str, **options: Any
) -> None:
    """Add -o, --out and the ``other_names`` that it has had."""
    parser.add_argument("-o", "--out", *other_names, dest="out", metavar=metavar, help=help, **options)


def check_json(args: argparse.Namespace) -> None:
    """Refuse a FILE of --json that cannot be written or holds something else than JSON, before anything is computed.

    Raises
    ------
    UsageError
        A picture, a log or another file that is no JSON has the name.
    OutputError
        There is no such folder, or it may not be written to.
    """
    path = getattr(args, "json", None)
    if path is None or path == _STDOUT:
        return
    target = check_target(path)
    if target.is_file() and not is_json_file(target):
        raise UsageError(f"--json {path}: there is a file of that name that is no JSON. Name another, or remove it")


def prints_json(args: argparse.Namespace) -> bool:
    """Whether JSON is all that goes to the standard output."""
    return bool(args.json == _STDOUT)


def write_json(args: argparse.Namespace, document: Any, *, as_text: bool = False) -> bool:
    """Print or write a document as --json says; returns whether it was printed, so that no text is to follow.

    ``as_text`` is that of `json_text`.
    """
    if args.json is None:
        return False
    text = json_text(document, as_text=as_text) + "\n"
    if not prints_json(args):
        write_text(args.json, text)
        return False
    sys.stdout.write(text)
    return True


def parse_size(text: str | None, option: str) -> tuple[int, int] | None:
    """Height and width from ``513x481``, or one number for both; None where the option was not given.

    Raises
    ------
    UsageError
        It is something else, or a side is not between 1 and 65535.

    Examples
    --------
    >>> parse_size("513x481", "--input-size"), parse_size("321", "--input-size")
    ((513, 481), (321, 321))
    """
    if text is None:
        return None
    height, cross, width = text.lower().partition("x")
    sides = [height, width if cross else height]
    if not all(side.isdecimal() and len(side) <= 5 and 0 < int(side) <= 65535 for side in sides):
        raise UsageError(f"{option} wants HxW, such as 513x513; got '{text}'")
    return int(sides[0]), int(sides[1])
