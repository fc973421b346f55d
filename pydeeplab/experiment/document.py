"""The text of an experiment's file: its values, checked by kind, and where each of them stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.proto import caffe_pb2

__all__ = ["Document", "section", "solver_fields"]

_AXES = {"w1", "sigma_alpha", "sigma_beta"}
_FOLDERS = {"net": ("net_id",), "data": ("dataset", "exp", "train", "train2", "test")}
"""Keys that become names of files and folders."""


class Document:
    """A TOML text, its values, and where in it each key stands."""

    def __init__(self, text: str, path: Path):
        self.path, self._lines = path, text.splitlines()
        try:
            self.values = tomllib.loads(text)
        except RecursionError:
            raise UsageError(f"{path}: is nested too deeply for an experiment") from None
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+), column (\d+)", str(error))
            where = f"{path}:{found[1]}:{found[2]}" if found else f"{path}"
            raise UsageError(f"{where}: is no TOML: {str(error).partition(' (at')[0]}") from None

    def error(self, section: str, key: str, message: str) -> UsageError:
        """An error at a key, or at its section where the key is not written."""
        return UsageError(f"{self._place(section, key)}: {message}")

    def _place(self, section: str, key: str) -> str:
        current, at = "", 0
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[+\s*([^\]]*?)\s*\]", line)
            if header:
                current = header[1].strip("\"' ")
            if header and current in ((section, f"{section}.{key}") if section else (key,)):
                at = number
            written = re.match(r"\s*([\w.\"'-]+)\s*=", line)
            if written and current == section and written[1].strip("\"'").partition(".")[0] == key:
                return f"{self.path}:{number}"
            if written and not current and written[1].startswith(f"{section}.{key}"):
                return f"{self.path}:{number}"
        return f"{self.path}:{at}" if at else f"{self.path}"


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", lambda v: isinstance(v, str)),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "bool | None": ("true or false", lambda v: isinstance(v, bool)),
    "int": ("a whole number of at least 1", lambda v: _is(v, int) and v >= 1),
    "int | None": ("a whole number of at least 1", lambda v: _is(v, int) and v >= 1),
    "float": ("1 or 0.5", lambda v: v in (1, 0.5)),
    "float | None": ("a mean IoU in per cent, 0 to 100", lambda v: _is(v, (int, float)) and 0 <= v <= 100),
    "Mapping[str, str]": (
        'a table of w1, sigma_alpha and sigma_beta with values such as "30:10:100"',
        lambda v: isinstance(v, dict) and set(v) <= _AXES and all(isinstance(t, str) for t in v.values()),
    ),
    "Mapping[str, tuple[str, ...]]": (
        "a table of layers, each with a list of layers that get its parameters",
        lambda v: (
            isinstance(v, dict)
            and all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in v.values())
        ),
    ),
}


def section(document: Document, name: str, kind: type) -> Any:
    """One section as its dataclass."""
    given = document.values.get(name, {})
    if not isinstance(given, dict):
        raise document.error("", name, f"[{name}] must be a table, got {given!r}")
    known = {f.name: f for f in fields(kind)}
    for key, value in given.items():
        if key not in known:
            raise document.error(
                name, key, f"[{name}] has no key '{key}'.{did_you_mean(key, known)} Its keys: {', '.join(known)}."
            )
        wanted, fits = _KINDS[str(known[key].type)]
        if not fits(value):
            raise document.error(name, key, f"{name}.{key} must be {wanted}, got {value!r}")
        if key in _FOLDERS.get(name, ()) and value and not re.fullmatch(r"\w[\w.+-]*", value):
            raise document.error(
                name, key, f"{name}.{key} names files: it may have letters, digits, and _ . + - within; got {value!r}"
            )
        if str(known[key].type) == "Mapping[str, tuple[str, ...]]":
            given[key] = {source: tuple(targets) for source, targets in value.items()}
    for key, described in known.items():
        if described.default is MISSING and described.default_factory is MISSING and key not in given:
            raise document.error(name, key, f"[{name}] lacks '{key}'; write it below [{name}]")
    return kind(**given)


def solver_fields(document: Document, name: str) -> dict[str, Any]:
    """Settings of a solver, each tried on a SolverParameter."""
    given = document.values.get(name, {})
    message = caffe_pb2.SolverParameter()
    known = message.DESCRIPTOR.fields_by_name
    for key, value in given.items():
        if key not in known:
            raise document.error(name, key, f"a solver has no field '{key}'.{did_you_mean(key, known)}")
        try:
            setter = (
                getattr(message, key).extend if isinstance(value, list) else lambda v, k=key: setattr(message, k, v)
            )
            setter(value)
        except (TypeError, ValueError, AttributeError) as error:
            raise document.error(name, key, f"{name}.{key} cannot be {value!r}: {error}") from None
    return dict(given)
