"""Compact prototxt text: a few lines per layer, as long as a line may be."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["LINE", "Word", "comment", "fields", "message", "wrap"]

LINE = 120
"""Longest line written."""


class Word(str):
    """A value written without quotes: an enum's name."""

    __slots__ = ()


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def fields(values: Mapping[str, Any]) -> list[str]:
    """The fields of a message as text, one item each: sequences repeat the field, mappings nest, None is left out.

    Examples
    --------
    >>> fields({"num_output": 21, "pool": Word("MAX"), "bottom": ["a", "b"], "param": [{"lr_mult": 1}]})
    ['num_output: 21', 'pool: MAX', 'bottom: "a"', 'bottom: "b"', 'param { lr_mult: 1 }']
    """
    written = []
    for name, value in values.items():
        for item in _each(value):
            written.append(message(name, item) if isinstance(item, Mapping) else f"{name}: {_scalar(item)}")
    return written


def message(name: str, values: Mapping[str, Any]) -> str:
    """A whole message on one line: ``name { field: value ... }``."""
    return " ".join([name, "{", *fields(values), "}"])


def wrap(name: str, values: Mapping[str, Any], indent: str = "") -> str:
    """A whole message, broken between its fields where a line would be longer than `LINE`."""
    lines = [f"{indent}{name} {{"]
    closing = len(indent) + 2  # braces that may follow: " }" of this message and of those around it
    for item in _items(values, f"{indent}  "):
        if "\n" not in item and len(lines[-1]) + 1 + len(item) + closing <= LINE:
            lines[-1] += f" {item}"
        else:
            lines.append(f"{indent}  {item}")
    return "\n".join(lines) + " }"


def _items(values: Mapping[str, Any], indent: str) -> list[str]:
    """The fields of a message, with those broken that are too long for a line."""
    items = []
    for name, value in values.items():
        for text, item in zip(fields({name: value}), _each(value), strict=True):
            if 2 * len(indent) + len(text) > LINE and isinstance(item, Mapping):
                items.append(wrap(name, item, indent).lstrip())
            else:
                items.append(text)
    return items


def _each(value: object) -> list[object]:
    """The items of a repeated field, or the only one of a single field."""
    items: Iterable[object] = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [item for item in items if item is not None]


def comment(lines: Iterable[str]) -> str:
    """The lines as a comment, broken where too long."""
    broken = (part for line in lines for part in textwrap.wrap(line, LINE - 2, break_on_hyphens=False) or [""])
    return "".join(f"# {line}".rstrip() + "\n" for line in broken)
