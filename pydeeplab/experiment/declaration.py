"""Reading the TOML file that declares an experiment, with errors that name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydeeplab.errors import PydeeplabError, UsageError, did_you_mean
from pydeeplab.experiment.document import Document, section, solver_fields
from pydeeplab.experiment.spec import CrfChoice, DataChoice, Expected, Experiment, Init, NetChoice

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
_MOST = 2**20

Base = Callable[[str], Experiment]


def _check_names(document: Document) -> None:
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


def _with_base(document: Document, base: Experiment) -> None:
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


def _inherited(document: Document, base: Experiment) -> dict[str, Any]:
    _with_base(document, base)
    own = {"dataset": base.data.dataset, **document.values["data"]}
    document.values["data"] = own
    data = section(document, "data", DataChoice)
    kept = {f.name: getattr(base.data, f.name) for f in fields(DataChoice)} | {k: getattr(data, k) for k in own}
    searching = base.data.truth and base.crf is not None and base.crf.search
    return {
        "searched_by": base if searching else base.searched_by,
        "net": base.net,
        "init": base.init,
        "solver": base.solver,
        "solver2": {**base.solver2, **solver_fields(document, "solver2")},
        "variables": base.variables,
        "data": DataChoice(**kept),
        "base": base.base or base.name,
    }


def _own(document: Document) -> dict[str, Any]:
    variables: Mapping[str, Any] = document.values.get("variables", {})
    for key, value in variables.items():
        if not isinstance(value, (str, int, float)):
            raise document.error("variables", key, f"variables.{key} must be a text or a number, got {value!r}")
    return {
        "net": section(document, "net", NetChoice),
        "init": section(document, "init", Init),
        "data": section(document, "data", DataChoice),
        "solver": solver_fields(document, "solver"),
        "solver2": solver_fields(document, "solver2"),
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
    document = Document(text, path)
    _check_names(document)
    values = document.values
    try:
        inherited = _inherited(document, base(values["base"])) if values.get("base") else _own(document)
    except UsageError as error:
        raise error if str(error).startswith(str(path)) else document.error("", "base", str(error)) from None
    crf = section(document, "crf", CrfChoice) if "crf" in values else None
    _check_crf(document, crf)
    expected = section(document, "expected", Expected)
    if expected.after_crf is not None and crf is None:
        raise document.error("expected", "after_crf", "a mean IoU after the CRF needs a [crf] section")
    _choose_search(document, crf, inherited, base)
    return Experiment(name, path, values["title"], crf=crf, expected=expected, note=values.get("note", ""), **inherited)


def _choose_search(document: Document, crf: CrfChoice | None, inherited: dict[str, Any], base: Base) -> None:
    """Say whose search of CRF parameters counts: that of ``found_by``, or for test sets the base's."""
    if crf is not None and crf.found_by:
        try:
            inherited["searched_by"] = base(crf.found_by)
        except UsageError as error:
            raise document.error("crf", "found_by", str(error)) from None
        if not (found := inherited["searched_by"].crf) or not found.search:
            raise document.error("crf", "found_by", f"'{crf.found_by}' does not search for CRF parameters")
    elif crf is None or crf.params or inherited["data"].truth:
        inherited["searched_by"] = None
    elif inherited.get("searched_by") is None:
        raise document.error("crf", "search", "the truth of this set is not public: give params, or found_by")


def _check_crf(document: Document, crf: CrfChoice | None) -> None:
    from pydeeplab.crf import CRFParameters

    if crf is None:
        return
    if bool(crf.params) + crf.search + bool(crf.found_by) != 1:
        raise document.error("crf", "params", "[crf] wants one of params = '...', search = true and found_by = '...'")
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
