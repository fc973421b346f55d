"""The command line: ``pydeeplab COMMAND ...``, one module of this package per command.

A command module has a docstring (its help: the first line is the summary, the rest the description), ``EXAMPLES``,
``configure(parser)`` that adds arguments, and ``run(args) -> int`` that returns the exit code: 0 all well, 1 the work
failed or found a difference, 2 wrong usage. Modules whose name begins with an underscore are helpers.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence

from pydeeplab.cli._help import HelpFormatter
from pydeeplab.cli._options import SHARED_OPTIONS, check_json
from pydeeplab.cli._spellings import CAFFE_COMMANDS, join_json, positionals_first, translate
from pydeeplab.errors import PydeeplabError, UsageError

__all__ = ["build_parser", "command_parsers", "commands", "main"]


def commands() -> list[str]:
    """The names of all commands, sorted; ``_`` in a module's name reads ``-`` on the command line."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def _add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    module = importlib.import_module(f"{__name__}.{name}")
    summary, _, description = (module.__doc__ or name).partition("\n")
    parser = subparsers.add_parser(
        name.replace("_", "-"),
        help=summary,
        description=f"{summary}\n\n{description.strip()}".strip(),
        epilog=f"examples:\n{module.EXAMPLES.rstrip()}",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    module.configure(parser)
    parser.set_defaults(run=module.run)


def _summary(name: str) -> str:
    """The first line of a command's help, from its module's text: to import all modules takes long."""
    text = pkgutil.get_data(__name__, f"{name}.py") or b""
    return (ast.get_docstring(ast.parse(text)) or name).partition("\n")[0]


def build_parser(only: str | None = None, *, summaries: bool = False) -> argparse.ArgumentParser:
    """The parser with all commands.

    Parameters
    ----------
    only
        With this command only, which starts faster.
    summaries
        With the names and summaries of commands, not their arguments: for the help of all, which starts faster too.
    """
    parser = argparse.ArgumentParser(
        prog="pydeeplab",
        description="DeepLab v2 on Caffe's nets, solvers and weights, without Caffe.",
        epilog=f"{SHARED_OPTIONS}\n`pydeeplab COMMAND --help` explains a command, with examples.",
        formatter_class=HelpFormatter,
    )
    from pydeeplab._version import __version__

    parser.add_argument("--version", action="version", version=f"pydeeplab {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [only] if only else commands():
        if summaries:
            subparsers.add_parser(name.replace("_", "-"), help=_summary(name))
        else:
            _add_command(subparsers, name)
    return parser


def command_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands in what `build_parser` returns, by name."""
    actions = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(next(actions).choices)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names that a terminal cannot show stop nothing
    words = [argument.replace("-", "_") for argument in arguments]
    named = set(words).intersection(commands())
    first = words[0] if words else ""
    parser = build_parser(first if first in named else None, summaries=not named)
    if first in named:
        arguments[0] = first.replace("_", "-")
        command = command_parsers(parser)[arguments[0]]
        if first in CAFFE_COMMANDS:
            arguments[1:] = translate(arguments[1:], command)
        arguments[1:] = positionals_first(join_json(arguments[1:], command), command)
    args = parser.parse_args(arguments)
    try:
        check_json(args)
        return int(args.run(args))
    except PydeeplabError as error:
        return _fail(error, args.debug, 2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, MemoryError) as error:
        return _fail(error, args.debug, 1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        return _fail_unexpectedly(error, args.debug)


def _fail_unexpectedly(error: Exception, debug: bool) -> int:
    """Say in few lines what nobody foresaw: a mistake of ours, or of a Python layer."""
    if debug:
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    print(f"pydeeplab: unexpected {type(error).__name__} in {place.filename}:{place.lineno}: {error}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(note, file=sys.stderr)
    print(
        "--debug shows the whole traceback. Please report this, unless the place is in a file of yours.",
        file=sys.stderr,
    )
    return 1


def _fail(error: BaseException, debug: bool, code: int) -> int:
    if debug:
        raise error
    print(f"pydeeplab: error: {error or type(error).__name__}", file=sys.stderr)
    return code
