"""Caffe's ways to spell a command line, for the commands that replace one of Caffe's programs.

Caffe's programs take ``-model x``, ``--model x``, ``-model=x`` and ``--model=x`` alike; switches also as ``-gray=true``
and ``-nogray``; names of several words with underscores; and the logging library's own flags anywhere.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence

__all__ = ["CAFFE_COMMANDS", "join_json", "positionals_first", "split_stages", "translate"]

CAFFE_COMMANDS = frozenset(
    {
        "train",
        "test",
        "time",
        "device_query",
        "compute_image_mean",
        "convert_imageset",
        "extract_features",
        "upgrade_net_proto_text",
        "upgrade_net_proto_binary",
        "upgrade_solver_proto_text",
    }
)
"""The commands that are programs of Caffe, or commands of its program ``caffe``."""

_FLAG = re.compile(r"--?([A-Za-z][A-Za-z0-9_-]+)(?:=(.*))?", re.DOTALL)
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
_LOG_SWITCHES = {"logtostderr", "alsologtostderr", "colorlogtostderr", "log_prefix", "stop_logging_if_full_disk"}
_LOG_VALUES = {"log_dir", "minloglevel", "stderrthreshold", "logbuflevel", "logbufsecs", "max_log_size", "vmodule"}


def _find(options: dict[str, argparse.Action], name: str) -> str | None:
    """The long option that a flag's name means, or None."""
    return next((o for o in (f"--{name}", f"--{name.replace('_', '-')}") if o in options), None)


def translate(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Rewrite Caffe's spellings of options as ``parser`` knows them; everything else stays as it is.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> for option in ("--model", "--check-size"):
    ...     _ = parser.add_argument(option, action="store_true" if option == "--check-size" else "store")
    >>> translate(["-model=net", "-check_size", "--logtostderr=1", "db"], parser)
    ['--model=net', '--check-size', 'db']
    """
    return list(_translated(list(arguments), parser._option_string_actions))


def _translated(arguments: list[str], options: dict[str, argparse.Action]) -> Iterator[str]:
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
            return
        match = _FLAG.fullmatch(word)
        if not match:
            yield word
            continue
        name, value = match.group(1), match.group(2)
        option = _find(options, name)
        negated = _find(options, name[2:]) if name.startswith("no") else None
        if option is None and negated is not None and options[negated].nargs == 0:
            continue
        if option is None:
            if name in _LOG_VALUES and value is None:
                next(rest, None)
            elif name not in _LOG_VALUES and name.removeprefix("no") not in _LOG_SWITCHES:
                yield word
        elif options[option].nargs != 0 or value is None:
            yield option if value is None else f"{option}={value}"
        elif value.lower() in _TRUE:
            yield option
        elif value.lower() not in _FALSE:
            yield word


def join_json(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Write ``--json FILE`` as ``--json=FILE``, and ``--json`` alone as ``--json=-``, the standard output.

    The word behind ``--json`` is a FILE if it is ``-`` or ends in .json, and if the command takes no positional
    arguments: of ``--json photo.jpg`` the picture is one of those, not to be written over.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> for name in ("net", "--json"):
    ...     _ = parser.add_argument(name)
    >>> join_json(["--json", "net.prototxt"], parser), join_json(["net", "--json", "a.json"], parser)
    (['--json=-', 'net.prototxt'], ['net', '--json=a.json'])
    """
    if "--json" not in parser._option_string_actions:
        return list(arguments)
    takes_others = any(not action.option_strings for action in parser._actions)
    joined: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*joined, word, *rest]
        if word == "--json":
            following = rest[0] if rest else "--"
            is_file = following == "-" or following.lower().endswith(".json")
            is_file = is_file or not (takes_others or following.startswith("-"))
            word = f"--json={rest.pop(0) if is_file else '-'}"
        joined.append(word)
    return joined


def positionals_first(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Move options behind the positional arguments, so that ``NET --engine CAFFE WEIGHTS`` means what it says.

    Before Python 3.12.7, argparse takes an optional positional argument to be absent once an option follows the one
    before it. Where it cannot be told which words belong to an option, the order stays as it is.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("--engine")
    >>> positionals_first(["net", "--engine", "CAFFE", "weights"], parser)
    ['net', 'weights', '--engine', 'CAFFE']
    """
    if any(not a.option_strings and a.nargs in (argparse.REMAINDER, argparse.PARSER) for a in parser._actions):
        return list(arguments)
    positionals: list[str] = []
    options: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            return [*options, *positionals, word, *rest]
        if not word.startswith("-") or word == "-":
            positionals.append(word)
            continue
        name, equals, _ = word.partition("=")
        action = parser._option_string_actions.get(name)
        optional = action is not None and action.nargs == "?" and equals
        if action is None or not (optional or action.nargs is None or isinstance(action.nargs, int)):
            return list(arguments)
        options.append(word)
        count = 0 if equals else 1 if action.nargs is None else int(action.nargs)
        options += [value for _, value in zip(range(count), rest, strict=False)]
    return [*positionals, *options]


def split_stages(stages: Sequence[str]) -> list[str]:
    """Stages given one by one, or several with commas between them, as Caffe has it."""
    return [stage for text in stages for stage in text.split(",") if stage]
