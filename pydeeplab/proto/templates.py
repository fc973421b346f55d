"""Prototxt templates: ``${NAME}`` is replaced before parsing, inside strings and outside, but not in comments.

DeepLab's nets are such templates; a shell script filled them in with sed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydeeplab.errors import PrototxtError, did_you_mean

__all__ = ["Edits", "substitute"]

_PIECE = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
      | \$\{(?P<name>[^{}\n]*)\}""",
    re.VERBOSE,
)
_PLACEHOLDER = re.compile(r"\$\{(?P<name>[^{}\n\"']*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Edits:
    """Where the text after substitution differs from the one before, to carry positions back."""

    after: list[int] = field(default_factory=list)
    shift: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, start: int, length: int, original_start: int, original_length: int) -> None:
        """Record that ``length`` characters now stand for ``original_length``; call in the order of the text."""
        self.after.append(start + length)
        self.shift.append(original_start + original_length - start - length)
        self.spans.append((start, original_start))

    def original(self, offset: int) -> int:
        """The offset in the text before substitution; anywhere in a value: the start of its placeholder."""
        index = bisect_right(self.after, offset)
        if index < len(self.spans) and offset >= self.spans[index][0]:
            return self.spans[index][1]
        return offset + (self.shift[index - 1] if index else 0)


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")
    return escaped.replace("\n", "\\n").replace("\r", "\\r")


def _placeholders(text: str) -> list[tuple[int, int, str, bool]]:
    """(start, end, name, inside a string) of every placeholder outside comments."""
    found = []
    for piece in _PIECE.finditer(text):
        if piece["name"] is not None:
            found.append((piece.start(), piece.end(), piece["name"], False))
        elif piece["string"] is not None:
            for inner in _PLACEHOLDER.finditer(piece["string"]):
                found.append((piece.start() + inner.start(), piece.start() + inner.end(), inner["name"], True))
    return found


def _check(
    placeholders: list[tuple[int, int, str, bool]], defines: Mapping[str, object], place: Callable[[int], str]
) -> None:
    for start, _, name, _ in placeholders:
        if not _NAME.fullmatch(name):
            raise PrototxtError(
                f"{place(start)}: ${{{name}}} is no placeholder: a name is made of letters, digits and _."
            )
    unset = list(dict.fromkeys(name for _, _, name, _ in placeholders if name not in defines))
    if not unset:
        return
    first = next(start for start, _, name, _ in placeholders if name == unset[0])
    rest = f" (also without a value: {', '.join(unset[1:])})" if unset[1:] else ""
    unused = [name for name in defines if all(name != other for _, _, other, _ in placeholders)]
    raise PrototxtError(
        f"{place(first)}: ${{{unset[0]}}} has no value{rest}. This file is a template: give each a value, "
        f"as in --define {unset[0]}=value.{did_you_mean(unset[0], unused)}"
    )


def substitute(text: str, defines: Mapping[str, object] | None, place: Callable[[int], str]) -> tuple[str, Edits]:
    """Replace every ``${NAME}`` by its value.

    Parameters
    ----------
    text : str
        The template.
    defines : mapping of str to object
        Values, turned into text by ``str``. Inside strings they are escaped; outside they stand as they are.
    place : callable
        Turns an offset in ``text`` into "file:line:column" for messages.

    Returns
    -------
    str
        The text with all values in place.
    Edits
        What to ask for positions in ``text``.

    Raises
    ------
    PrototxtError
        A placeholder has no value, or a malformed name.
    """
    edits = Edits()
    placeholders = _placeholders(text)
    if not placeholders:
        return text, edits
    values = {name: str(value) for name, value in (defines or {}).items()}
    _check(placeholders, values, place)
    parts: list[str] = []
    end = length = 0
    for start, stop, name, quoted in placeholders:
        value = _escaped(values[name]) if quoted else values[name]
        parts += [text[end:start], value]
        length += start - end
        edits.add(length, len(value), start, stop - start)
        length += len(value)
        end = stop
    parts.append(text[end:])
    return "".join(parts), edits
