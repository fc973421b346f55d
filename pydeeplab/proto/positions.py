"""Where things stand in a prototxt: a light second reading that keeps positions, made only when somebody asks.

The first reading, by protobuf, has already checked the text; this one never complains.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pydeeplab.proto.templates import Edits

__all__ = ["Entry", "SourceText", "line_and_column"]

_TOKEN = re.compile(
    r"""(?:\s+|\#[^\n]*)+
      | (?P<word>[A-Za-z_][\w+-]*)
      | (?P<scalar>[\d.+-][\w.+-]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<mark>.)""",
    re.VERBOSE,
)
_OPEN, _CLOSE = frozenset("{<"), frozenset("}>")


@dataclass
class Entry:
    """One field as written: its name, offsets of name and value, and the fields inside if it is a message."""

    name: str
    start: int
    value: int
    inside: list[Entry] = field(default_factory=list)

    def find(self, path: str, item: int = 0) -> Entry | None:
        """The ``item``-th occurrence of a field below this one, by dotted path; None where there is none."""
        return find(self.inside, path, item)


def find(entries: list[Entry], path: str, item: int = 0) -> Entry | None:
    """The ``item``-th field of this name or dotted path (the number counts occurrences of the last name)."""
    name, _, rest = path.partition(".")
    if rest:
        for entry in entries:
            if entry.name == name and (found := entry.find(rest, item)):
                return found
        return None
    return next((e for i, e in enumerate(e for e in entries if e.name == name) if i == item), None)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both counted from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup:
            yield match.lastgroup, match[0], match.start()


def scan(text: str) -> tuple[list[Entry], list[Entry]]:
    """Read a text into entries.

    Returns
    -------
    list of Entry
        The top-level fields.
    list of Entry
        The messages still open at the end, outermost first: empty in a whole text.
    """
    top: list[Entry] = []
    open_entries: list[Entry] = []
    lists: list[str] = []  # for each open [...]: the name of its field; "" marks a message opened within a list
    name: tuple[str, int] | None = None
    for kind, token, offset in _tokens(text):
        inside = open_entries[-1].inside if open_entries else top
        if token in _OPEN:
            list_name = lists[-1] if lists else ""
            named = name or (list_name, offset)
            entry = Entry(named[0], named[1], offset)
            inside.append(entry)
            open_entries.append(entry)
            lists.append("")
            name = None
        elif token in _CLOSE:
            if open_entries:
                open_entries.pop()
                lists.pop()
            name = None
        elif token == "[" and name is not None:
            lists.append(name[0])
        elif token == "]":
            if lists and lists[-1]:
                lists.pop()
            name = None
        elif kind == "mark":
            continue
        elif lists and lists[-1]:
            inside.append(Entry(lists[-1], offset, offset))
            name = None
        elif name is not None:
            inside.append(Entry(name[0], name[1], offset))
            name = None
        elif kind == "word":
            name = (token, offset)
    return top, open_entries


class SourceText:
    """A prototxt's text with its name, able to say where a field stands.

    Parameters
    ----------
    filename : str
        What messages call it.
    original : str
        As in the file, newlines normalised.
    text : str
        After substitution of placeholders; offsets refer to this one.
    edits : Edits
        The way back from ``text`` to ``original``.
    """

    def __init__(self, filename: str, original: str, text: str | None = None, edits: Edits | None = None):
        self.filename = filename
        self.original = original
        self.text = original if text is None else text
        self._edits = edits or Edits()

    def place(self, offset: int) -> str:
        """ "file:line:column" of an offset, in the original text."""
        offset = self._edits.original(offset)
        line = bisect_right(self._original_lines, offset)
        return f"{self.filename}:{line}:{offset - self._original_lines[line - 1] + 1}"

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column, both counted from 1."""
        return self._lines[min(line, len(self._lines)) - 1] + column - 1

    @cached_property
    def _lines(self) -> list[int]:
        return _line_starts(self.text)

    @cached_property
    def _original_lines(self) -> list[int]:
        return _line_starts(self.original)

    @cached_property
    def entries(self) -> list[Entry]:
        """The top-level fields."""
        return scan(self.text)[0]

    def line_at(self, offset: int) -> int:
        """The line (from 1) of an offset, in the original text."""
        return bisect_right(self._original_lines, self._edits.original(offset))

    def open_at(self, offset: int) -> list[Entry]:
        """The messages that are open at an offset, outermost first."""
        return scan(self.text[:offset])[1]
