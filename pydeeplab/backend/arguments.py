"""Checking the arguments of kernels before native code sees a pointer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pydeeplab.backend.spec import Array, Kernel
from pydeeplab.errors import ShapeError

__all__ = ["checked"]


def checked(
    row: Kernel, function: Callable[..., None], dtypes: tuple[np.dtype[Any], ...], *, together: bool = False
) -> Callable[..., None]:
    """Wrap a kernel so that shapes, types and contiguity are right before native code sees a pointer.

    Parameters
    ----------
    together : bool
        Whether ``function`` takes lists for starred arguments; if not, it takes single arrays and is called for each
        picture.
    """
    arrays = [(i, _checker(row.name, a, dtypes)) for i, a in enumerate(row.arguments) if isinstance(a, Array)]
    several = row.several
    starred = [(i, check) for i, check in arrays if i in several]
    single = [(i, check) for i, check in arrays if i not in several]
    count = len(row.arguments)

    def call(*values: Any) -> None:
        if len(values) != count:
            names = ", ".join(a.name for a in row.arguments)
            raise TypeError(f"kernel {row.name} takes {count} arguments ({names}), got {len(values)}")
        bound: dict[str, int] = {}
        for i, check in single:
            check(values[i], bound)
        if not starred:
            function(*values)
            return
        given = _listed(row, several, values)
        pictures = range(len(given[starred[0][0]]))
        for picture in pictures:
            sizes = bound.copy()
            for i, check in starred:
                check(given[i][picture], sizes, picture)
        if together:
            function(*given)
            return
        for picture in pictures:
            function(*(v[picture] if i in several else v for i, v in enumerate(given)))

    call.__name__ = row.name
    return call


def _listed(row: Kernel, several: Sequence[int], values: Sequence[Any]) -> list[Any]:
    """The arguments with a list, of the same length, in each starred place."""
    given, count = list(values), None
    for i in several:
        argument, value = row.arguments[i], values[i]
        if value is None and getattr(argument, "optional", False):
            continue
        if not isinstance(value, (list, tuple)) or not value:
            raise ShapeError(f"kernel {row.name}: {argument.name} must be a list of arrays, one for each picture")
        count = count or len(value)
        if len(value) != count:
            raise ShapeError(f"kernel {row.name}: {argument.name} has {len(value)} pictures, another one {count}")
    for i in several:
        given[i] = [None] * (count or 0) if values[i] is None else list(values[i])
    return given


def _checker(kernel: str, argument: Array, dtypes: tuple[np.dtype[Any], ...]) -> Callable[..., None]:
    """What checks a value of an argument and notes its sizes."""
    dims, optional = argument.dims, argument.optional
    allowed = dtypes if argument.dtype == "real" else (np.dtype(argument.dtype),)

    def check(value: Any, bound: dict[str, int], picture: int | None = None) -> None:
        if value is None and optional:
            return
        problem = ""
        if value is None:
            problem = "may not be None"
        elif value.dtype not in allowed:
            problem = f"has type {value.dtype}, expected {argument.dtype}"
        elif not value.flags.c_contiguous:
            problem = "must be C-contiguous"
        elif len(value.shape) != len(dims):
            problem = f"has shape {value.shape}, expected [{', '.join(dims)}]"
        else:
            for symbol, size in zip(dims, value.shape, strict=True):
                if bound.setdefault(symbol, size) != size:
                    problem = f"has shape {value.shape}, but {symbol} is {bound[symbol]} in another one"
        if problem:
            place = "" if picture is None else f"[{picture}]"
            raise ShapeError(f"kernel {kernel}: {argument.name}{place} {problem}")

    return check
