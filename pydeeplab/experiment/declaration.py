"""Reading the TOML file that declares an experiment, with errors that name file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from pydeeplab.errors import PydeeplabError, UsageError, did_you_mean
from pydeeplab.experiment.spec import CrfChoice, DataChoice, Expected, Experiment, Init, NetChoice
from pydeeplab.proto import caffe_pb2

__all__ = ["parse_experiment", "read_experiment"]

_SECTIONS: dict[str, type] = {
    "net": NetChoice,
    "init": Init,
    "data": DataChoice,
    "crf": CrfChoice,
    "expected": Expected,
}
_FREE = ("solver", "solver2", "variables")
_TOP = ("title", "base", "note")
_ALLOWED_WITH_BASE = {"data": {"train2", "test", "truth", "unavailable"}}
_AXES = {"w1", "sigma_alpha", "sigma_beta"}
_MOST = 2**20

Base = Callable[[str], Experiment]


class _Document:
    """A TOML text, its values, and where in it each key stands."""

    def __init__(self, text: str, path: Path):
        self.path, self._lines = path, text.splitlines()
        try:
            self.values = tomllib.loads(text)
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


def _section(document: _Document, name: str, kind: type) -> Any:
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
        if str(known[key].type) == "Mapping[str, tuple[str, ...]]":
            given[key] = {source: tuple(targets) for source, targets in value.items()}
    for key, described in known.items():
        if described.default is MISSING and described.default_factory is MISSING and key not in given:
            raise document.error(name, key, f"[{name}] lacks '{key}'; write it below [{name}]")
    return kind(**given)


def _solver_fields(document: _Document, name: str) -> dict[str, Any]:
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


def _check_names(document: _Document) -> None:
    known = (*_TOP, *_SECTIONS, *_FREE)
    for key, value in document.values.items():
        if key not in known:
            raise document.error(
                "", key, f"an experiment has no '{key}'.{did_you_mean(key, known)} It may have {', '.join(known)}."
            )
        if key in _TOP and not isinstance(value, str):
            raise document.error("", key, f"{key} must be a text, got {value!r}")
        if key in _FREE and not isinstance(value, dict):
            raise document.error("", key, f"[{key}] must be a table, got {value!r}")
    if not document.values.get("title"):
        raise document.error("", "title", 'title is missing; say what this is: title = "DeepLab-LargeFOV"')


def _with_base(document: _Document, base: Experiment) -> None:
    """Fill in what an experiment has of the one whose net it scores."""
    for name in ("net", "init", "solver", "variables"):
        if name in document.values:
            raise document.error(
                name,
                "",
                f"an experiment with base = '{base.name}' scores that one's net and has no [{name}] of its own",
            )
    own = document.values.setdefault("data", {})
    allowed = _ALLOWED_WITH_BASE["data"]
    for key in own if isinstance(own, dict) else ():
        if key not in allowed:
            raise document.error("data", key, f"with a base, [data] may have {', '.join(sorted(allowed))}, not '{key}'")


def _inherited(document: _Document, base: Experiment) -> dict[str, Any]:
    _with_base(document, base)
    own = {"dataset": base.data.dataset, **document.values["data"]}
    document.values["data"] = own
    data = _section(document, "data", DataChoice)
    kept = {f.name: getattr(base.data, f.name) for f in fields(DataChoice)} | {k: getattr(data, k) for k in own}
    searching = base.data.truth and base.crf is not None and base.crf.search
    return {
        "search_set": base.data.test if base.data.truth else base.search_set,
        "searched_by": base.name if searching else base.searched_by,
        "net": base.net,
        "init": base.init,
        "solver": base.solver,
        "solver2": {**base.solver2, **_solver_fields(document, "solver2")},
        "variables": base.variables,
        "data": DataChoice(**kept),
        "base": base.base or base.name,
    }


def _own(document: _Document) -> dict[str, Any]:
    variables: Mapping[str, Any] = document.values.get("variables", {})
    for key, value in variables.items():
        if not isinstance(value, (str, int, float)):
            raise document.error("variables", key, f"variables.{key} must be a text or a number, got {value!r}")
    return {
        "net": _section(document, "net", NetChoice),
        "init": _section(document, "init", Init),
        "data": _section(document, "data", DataChoice),
        "solver": _solver_fields(document, "solver"),
        "solver2": _solver_fields(document, "solver2"),
        "variables": {k: str(v) for k, v in variables.items()},
    }


def parse_experiment(text: str, path: Path, name: str, base: Base) -> Experiment:
    """Read an experiment from the text of its file.

    Parameters
    ----------
    text
        TOML.
    path
        For messages.
    name
        What to call the experiment.
    base
        Finds the experiment that ``base = "..."`` names.

    Raises
    ------
    UsageError
        The text is no TOML, has an unknown key, or a value of the wrong kind; the message gives file and line.
    """
    document = _Document(text, path)
    _check_names(document)
    values = document.values
    try:
        inherited = _inherited(document, base(values["base"])) if values.get("base") else _own(document)
    except UsageError as error:
        raise error if str(error).startswith(str(path)) else document.error("", "base", str(error)) from None
    crf = _section(document, "crf", CrfChoice) if "crf" in values else None
    _check_crf(document, crf)
    expected = _section(document, "expected", Expected)
    if expected.after_crf is not None and crf is None:
        raise document.error("expected", "after_crf", "a mean IoU after the CRF needs a [crf] section")
    return Experiment(name, path, values["title"], crf=crf, expected=expected, note=values.get("note", ""), **inherited)


def _check_crf(document: _Document, crf: CrfChoice | None) -> None:
    from pydeeplab.crf import CRFParameters

    if crf is None:
        return
    if bool(crf.params) == crf.search:
        raise document.error("crf", "params", '[crf] wants either params = "..." or search = true')
    try:
        CRFParameters.parse(crf.params)
    except PydeeplabError as error:
        raise document.error("crf", "params", str(error)) from None


def read_experiment(path: Path, name: str, base: Base) -> Experiment:
    """Read an experiment from its file; see `parse_experiment`."""
    try:
        data = path.read_bytes()
        if len(data) > _MOST:
            raise UsageError(f"{path}: has {len(data)} bytes; an experiment's file has a few hundred")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is no UTF-8 text: {error}") from None
    return parse_experiment(text, path, name, base)
