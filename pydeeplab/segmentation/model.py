"""Models: a net with its weights and how pictures are given to it, described by a small JSON file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.palette import voc_palette
from pydeeplab.errors import DataError, UsageError, did_you_mean
from pydeeplab.json_values import read_object
from pydeeplab.resources import weights_folder

__all__ = ["read_model"]

_KEYS = ("net", "weights", "classes", "mean", "scale", "order", "gray", "tile", "crf", "about")


def _find(name: str) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    root = weights_folder()
    known = {f.stem: f for f in sorted(root.glob("*.json"))} if root else {}
    if name in known:
        return known[name]
    raise UsageError(f"no model '{name}'.{did_you_mean(name, known)} Models here: {', '.join(known) or 'none'}.")


def read_model(name: str | os.PathLike[str]) -> dict[str, Any]:
    """The options of `Segmenter` that a model's description gives, ``net`` among them.

    Parameters
    ----------
    name
        A JSON file, or the name of one in the weights folder, without its suffix. It is an object with the keys
        ``net`` (a prototxt beside it, or a net's name), ``weights`` (a file beside it) and, where they differ from the
        defaults, ``classes`` (a list of names, or a class set), ``mean``, ``scale``, ``order``, ``gray``, ``tile``
        and ``crf`` (parameters as text). What it says ``about`` itself (data, licence, scores) is for people.

    Raises
    ------
    UsageError
        There is no such model, or the file is no such object.
    """
    path = _find(os.fspath(name))
    try:
        options = read_object(path)
    except DataError as error:
        raise UsageError(str(error)) from None
    if not isinstance(options.get("net"), str):
        raise UsageError(f'{path}: expected an object with at least "net"; possible keys are {", ".join(_KEYS)}')
    for key in options:
        if key not in _KEYS:
            raise UsageError(f"{path}: unknown key '{key}'.{did_you_mean(key, _KEYS)}")
    options.pop("about", None)
    for key in ("net", "weights"):
        beside = path.parent / str(options.get(key))
        if key in options and beside.is_file():
            options[key] = str(beside)
    if "classes" in options:
        options["classes"] = _classes(path, options["classes"])
    return options


def _classes(path: Path, given: Any) -> ClassSet:
    if isinstance(given, str):
        beside = path.parent / given
        return class_set(beside if beside.is_file() else given)
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise UsageError(f"{path}: classes must be a list of names or the name of a class set")
    background = 0 if given and given[0] == "background" else None
    return ClassSet(path.stem, tuple(given), voc_palette(), background)
