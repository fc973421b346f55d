"""Writes the files of prototxt/: ``python -m pydeeplab.networks [--check | --list] [--out DIR]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydeeplab.networks import differences, net_names, write_all
from pydeeplab.resources import prototxt_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pydeeplab.networks", description="Write the nets of the DeepLab paper."
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file is not as it would be written"
    )
    action.add_argument("--list", action="store_true", help="list the names of all nets")
    parser.add_argument("--out", type=Path, help="folder to write to (default: prototxt/ of this checkout)")
    args = parser.parse_args(argv)
    if args.list:
        print("\n".join(net_names()))
        return 0
    folder = args.out or prototxt_folder()
    if folder is None:
        parser.error("this installation has no prototxt folder; say where to write: --out DIR")
    if args.check:
        found = differences(folder)
        for line in found:
            print(f"{folder}: {line}", file=sys.stderr)
        if found:
            print("run `python -m pydeeplab.networks` to write them", file=sys.stderr)
        return 1 if found else 0
    changed = write_all(folder)
    print(f"{folder}: {len(changed)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
