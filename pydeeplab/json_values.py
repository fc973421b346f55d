"""Plain data as JSON can hold it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from pydeeplab.errors import DataError

__all__ = ["is_json_file", "json_ready", "json_text", "read_object"]


def json_ready(value: Any, *, as_text: bool = False) -> Any:
    """Return plain data without what JSON has no numbers for, NaN and infinities: null instead, or text.

    Parameters
    ----------
    value
        Anything made of dicts, lists, tuples, numbers, strings and None.
    as_text
        Write ``"nan"``, ``"inf"`` and ``"-inf"``, which tell them apart.

    Examples
    --------
    >>> json_ready({"loss": float("inf"), "outputs": (1.5, float("nan"))})
    {'loss': None, 'outputs': [1.5, None]}
    >>> json_ready(float("-inf"), as_text=True)
    '-inf'
    """
    if isinstance(value, dict):
        return {key: json_ready(item, as_text=as_text) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item, as_text=as_text) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if as_text else None
    return value


def json_text(value: Any, *, as_text: bool = False) -> str:
    """Plain data as JSON in lines, which every program can read; see `json_ready`.

    Examples
    --------
    >>> print(json_text({"loss": float("nan")}))
    {
     "loss": null
    }
    """
    return json.dumps(json_ready(value, as_text=as_text), indent=1, allow_nan=False)


def is_json_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds one JSON value, or nothing at all."""
    data = Path(path).read_bytes()
    try:
        json.loads(data or b"null")
    except (ValueError, RecursionError):
        return False
    return True


def read_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises
    ------
    DataError
        The file cannot be read, is no UTF-8 text or no JSON, is nested too deeply, or holds something else.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{os.fspath(path)}: is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise DataError(f"{os.fspath(path)}: expected a JSON object, got {type(found).__name__}")
    return found
