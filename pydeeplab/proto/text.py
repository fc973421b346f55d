"""Prototxt text to messages and back, with errors that name file, line and column and the way out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from pydeeplab.errors import PrototxtError, did_you_mean
from pydeeplab.proto.explain import explained
from pydeeplab.proto.positions import SourceText, line_and_column
from pydeeplab.proto.templates import substitute

__all__ = ["load_text", "parse_message", "prepare_text", "write_text"]

_SIGNATURES = [
    (b"\x89HDF", "an HDF5 file", "Weights go into the weights argument, not the net."),
    (b"PK\x03\x04", "a ZIP or .npz file", "Give the prototxt itself."),
    (b"\x1f\x8b", "a gzip file", "Unpack it first."),
    (b"\xff\xfe", "UTF-16 text", "Save it as UTF-8."),
    (b"\xfe\xff", "UTF-16 text", "Save it as UTF-8."),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch the file with `git lfs pull`."),
]
_MOST = 2**26
"""Bytes up to which a file is taken for a text that somebody wrote."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_COMMENT_OR_STRING = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")


def load_text(path: str | os.PathLike[str]) -> str:
    """Read the text of a prototxt.

    Parameters
    ----------
    path : path
        UTF-8, with or without byte order mark; bytes that are not UTF-8 are let through in comments. Any line ends.

    Raises
    ------
    PrototxtError
        The file is missing, a folder, empty, binary, or not UTF-8.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        raise PrototxtError(f"{name}: there is no such file.{_neighbour(Path(path))}") from None
    except IsADirectoryError:
        raise PrototxtError(f"{name} is a folder; give the prototxt in it.") from None
    except OSError as error:
        raise PrototxtError(f"{name} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # a zero byte in the name
        raise PrototxtError(f"{name!r} cannot be read: {error}.") from None
    text = decode_text(data, name)
    if len(data) > _MOST:
        raise PrototxtError(f"{name} has more than {_MOST >> 20} MiB, which is no prototxt. Give the prototxt itself.")
    return text


def _neighbour(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f" Nor is there a folder {path.parent}."
    return did_you_mean(path.name, names)


def is_binary(data: bytes) -> bool:
    """Whether bytes cannot be a prototxt's text: control characters that no text holds, within the first 4 KiB."""
    return _CONTROL.search(data[:4096]) is not None


def decode_text(data: bytes, name: str) -> str:
    """Bytes of a prototxt to text with ``\\n`` line ends; `PrototxtError` where they are no such text."""
    for signature, what, advice in _SIGNATURES:
        if data.startswith(signature):
            raise PrototxtError(f"{name} is {what}, no prototxt. {advice}")
    if is_binary(data):
        raise PrototxtError(
            f"{name} is a binary file (perhaps a caffemodel), no prototxt. Weights go into the weights argument; "
            "`pydeeplab upgrade` reads binary nets."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _decode_with_foreign_comments(data, name)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise PrototxtError(f"{name} is empty.")
    return text


def _decode_with_foreign_comments(data: bytes, name: str) -> str:
    text = data.decode("utf-8-sig", errors="surrogateescape")
    outside = _COMMENT_OR_STRING.sub(lambda m: " " * len(m[0]) if m[0][0] == "#" else m[0], text)
    bad = re.search("[\udc80-\udcff]", outside)
    if bad:
        line, column = line_and_column(text.replace("\r\n", "\n"), bad.start() - text.count("\r\n", 0, bad.start()))
        byte = ord(bad[0]) - 0xDC00
        raise PrototxtError(f"{name}:{line}:{column}: byte {byte:#04x} is not UTF-8. Save the file as UTF-8.")
    return re.sub("[\udc80-\udcff]", "?", text)


def prepare_text(text: str, filename: str, defines: Mapping[str, object] | None) -> SourceText:
    """Normalise line ends and fill in placeholders."""
    original = text.replace("\r\n", "\n").replace("\r", "\n")
    place = SourceText(filename, original).place
    filled, edits = substitute(original, defines, place)
    return SourceText(filename, original, filled, edits)


def parse_message(source: SourceText, message: Any) -> Any:
    """Parse a text into a message, in place; returns it.

    Raises
    ------
    PrototxtError
        "file:line:column: what is wrong, and what to write instead."
    """
    try:
        text_format.Parse(source.text, message)
    except text_format.ParseError as error:
        raise explained(source, error) from None
    except RecursionError:
        raise PrototxtError(f"{source.filename}: messages are nested too deeply.") from None
    return message


def write_text(message: Any) -> str:
    """The text of a message, one field per line, as Caffe writes it.

    Parameters
    ----------
    message : NetParameter, SolverParameter or any other message of caffe.proto

    Examples
    --------
    >>> from pydeeplab.proto import caffe_pb2
    >>> net = caffe_pb2.NetParameter(name="tiny")
    >>> write_text(net)
    'name: "tiny"\\n'
    """
    return str(text_format.MessageToString(message, as_utf8=True))
