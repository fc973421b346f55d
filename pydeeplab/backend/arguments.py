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
    arguments, starred = row.arguments, row.several
    count = len(arguments)

    def check(values: Sequence[Any], picture: str = "") -> None:
        bound: dict[str, int] = {}
        for argument, value in zip(arguments, values, strict=True):
            if isinstance(argument, Array):
                place = picture if argument.several else ""
                _check_array(row.name, argument, value, bound, dtypes, argument.name + place)

    def call(*values: Any) -> None:
        if len(values) != count:
            raise TypeError(
                f"kernel {row.name} takes {count} arguments ({', '.join(a.name for a in arguments)}), got {len(values)}"
            )
        if not starred:
            check(values)
            function(*values)
            return
        pictures = _pictures(row, starred, values)
        for i, picture in enumerate(pictures):
            check(picture, f"[{i}]")
        for given in [_joined(starred, pictures)] if together else pictures:
            function(*given)

    call.__name__ = row.name
    return call


def _pictures(row: Kernel, starred: Sequence[int], values: Sequence[Any]) -> list[list[Any]]:
    """The arguments of each picture."""
    count = None
    for i in starred:
        argument, value = row.arguments[i], values[i]
        if value is None and getattr(argument, "optional", False):
            continue
        if not isinstance(value, (list, tuple)) or not value:
            raise ShapeError(f"kernel {row.name}: {argument.name} must be a list of one array or more, one a picture")
        count = count or len(value)
        if len(value) != count:
            raise ShapeError(f"kernel {row.name}: {argument.name} has {len(value)} pictures, an earlier one {count}")
    pictures = [list(values) for _ in range(count or 0)]
    for i in starred:
        for k, picture in enumerate(pictures):
            picture[i] = None if values[i] is None else values[i][k]
    return pictures


def _joined(starred: Sequence[int], pictures: Sequence[list[Any]]) -> list[Any]:
    """The arguments of all pictures, lists in the starred places."""
    given = list(pictures[0])
    for i in starred:
        given[i] = [picture[i] for picture in pictures]
    return given


def _check_array(
    kernel: str, argument: Array, value: Any, bound: dict[str, int], dtypes: tuple[np.dtype[Any], ...], name: str
) -> None:
    if value is None:
        if not argument.optional:
            raise ShapeError(f"kernel {kernel}: argument {name} may not be None")
        return
    wanted = argument.dtype
    if (value.dtype not in dtypes) if wanted == "real" else (value.dtype != wanted):
        raise ShapeError(f"kernel {kernel}: {name} has type {value.dtype}, expected {wanted}")
    if not value.flags.c_contiguous:
        raise ShapeError(f"kernel {kernel}: {name} must be C-contiguous")
    shape = value.shape
    if len(shape) != len(argument.dims):
        raise ShapeError(f"kernel {kernel}: {name} has shape {shape}, expected [{', '.join(argument.dims)}]")
    for symbol, size in zip(argument.dims, shape, strict=True):
        if bound.setdefault(symbol, size) != size:
            raise ShapeError(
                f"kernel {kernel}: {name} has shape {shape}, but {symbol} is {bound[symbol]} in an earlier one"
            )
