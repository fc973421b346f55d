"""Plain data as JSON can hold it."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["json_ready"]


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
