"""convert a net or solver of any age to Caffe's current format

IN is a net or a solver, as text (prototxt) or binary (caffemodel); which of them is found out by looking. V0 and V1
nets, DeepLab v1's hole, net-level inputs and solver_type are rewritten as Caffe itself understands them; a net of one
of the forks keeps that fork's layers, now under their current names. OUT is written whole or not at all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.errors import PrototxtError, UsageError
from pydeeplab.files import check_target, write_bytes
from pydeeplab.proto import caffe_pb2, parse_binary_net, parse_net, parse_solver, write_text
from pydeeplab.proto.positions import scan
from pydeeplab.proto.text import decode_text, is_binary
from pydeeplab.proto.upgrade import upgrade_solver

EXAMPLES = """\
  pydeeplab upgrade old.prototxt new.prototxt
  pydeeplab upgrade train.prototxt out.prototxt --define NUM_LABELS=21 --define EXP=voc12
  pydeeplab upgrade vgg16_v1.caffemodel vgg16.caffemodel
"""

_NETS_INSIDE = ("net_param", "train_net_param", "test_net_param")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="IN", type=Path, help="a net or solver, text or binary")
    parser.add_argument("target", metavar="OUT", type=Path, help="where the result goes; may be IN itself")
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="a value for ${NAME} in IN; repeatable"
    )
    parser.add_argument("--solver", action="store_true", help="IN is a solver (text is recognised by itself)")
    add_quiet_argument(parser, "do not say what was converted and written")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--binary", action="store_true", help="write binary; without this OUT is of IN's kind")
    form.add_argument("--text", action="store_true", help="write text, even if IN is binary")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    data = _read(args.source)
    check_target(args.target)
    name = str(args.source)
    binary = is_binary(data)
    notes: list[str] = []
    if binary:
        message = _from_binary(data, name, args.solver)
    else:
        message, notes = _from_text(decode_text(data, name), name, parse_defines(args.define), args.solver)
    as_binary = args.binary or (binary and not args.text)
    write_bytes(args.target, message.SerializeToString() if as_binary else write_text(message).encode())
    if args.quiet:
        return 0
    for note in notes:
        print(note, file=sys.stderr)
    print(f"{args.target}: {_summary(message)} in the current format, {'binary' if as_binary else 'text'}")
    return 0


def parse_defines(defines: list[str]) -> dict[str, str]:
    """``["A=1", "B=x y"]`` to a mapping.

    Raises
    ------
    UsageError
        An item without ``=``, or without a name before it.
    """
    values = {}
    for item in defines:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"--define {item}: write --define NAME=VALUE.")
        values[name] = value
    return values


def _read(path: Path) -> bytes:
    try:
        if path.is_char_device() or path.is_block_device():
            raise UsageError(f"{path} is a device; give a prototxt or caffemodel.")
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file.") from None
    except ValueError as error:  # a zero byte in the name
        raise UsageError(f"{str(path)!r} cannot be read: {error}.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; give a prototxt or caffemodel in it.") from None


def _from_text(text: str, name: str, defines: dict[str, str], solver: bool) -> tuple[Any, list[str]]:
    if not solver and not _looks_like_solver(text):
        net = parse_net(text, filename=name, defines=defines)
        return net.param, net.notes
    source = parse_solver(text, filename=name, defines=defines)
    notes = list(source.notes)
    for field in _NETS_INSIDE:
        value = getattr(source.param, field)
        for item in range(len(value) if field == "test_net_param" else source.param.HasField(field)):
            inside = source.net_source(field, item)
            (value[item] if field == "test_net_param" else value).CopyFrom(inside.param)
            notes += inside.notes
    return source.param, notes


def _looks_like_solver(text: str) -> bool:
    """Whether the top-level fields of a text are a solver's rather than a net's."""
    names = {entry.name for entry in scan(text)[0]}
    net = names & set(caffe_pb2.NetParameter.DESCRIPTOR.fields_by_name)
    return len(names & set(caffe_pb2.SolverParameter.DESCRIPTOR.fields_by_name)) > len(net)


def _from_binary(data: bytes, name: str, solver: bool) -> Any:
    if not solver:
        return parse_binary_net(data, filename=name)
    try:
        param = caffe_pb2.SolverParameter.FromString(data)
    except DecodeError as error:
        raise PrototxtError(f"{name} is no binary solver: {error}.") from None
    upgrade_solver(param)
    return param


def _summary(message: Any) -> str:
    if isinstance(message, caffe_pb2.NetParameter):
        return f"a net of {len(message.layer)} layers"
    return "a solver"
