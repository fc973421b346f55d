"""What callers give a net for its blobs: whole batches, copied in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import UsageError

__all__ = ["feed"]

_WORDS = {
    "data": ("Input blob arguments do not match net inputs.", "Input"),
    "diff": ("Top diff arguments do not match net outputs.", "Diff"),
}
"""How errors begin, as in pycaffe: for other names, and for other numbers of items."""


def feed(blobs: Mapping[str, Blob], given: Mapping[str, ArrayLike], half: str) -> None:
    """Copy what is given into blobs: all of them, and no others.

    Parameters
    ----------
    blobs : mapping
        By name, those that must be given.
    given : mapping
        Arrays, whose shapes may be those of the blobs or what NumPy stretches to them.
    half : {"data", "diff"}
        Where it goes: for inputs their data, for outputs their gradients.

    Raises
    ------
    UsageError
        Other names are given than those of the blobs, or what is no array of numbers, or does not fit.
    """
    mismatch, label = _WORDS[half]
    if set(given) != set(blobs):
        raise UsageError(f"{mismatch} Expected {', '.join(blobs) or 'none'}; got {', '.join(given)}.")
    for name, values in given.items():
        blob, array = blobs[name], _numbers(name, values)
        if array.shape and blob.shape and array.shape[0] != blob.shape[0]:
            raise UsageError(
                f"{label} is not batch sized: '{name}' has shape {blob.shape}, got {array.shape}. "
                f"Reshape first: net.blobs['{name}'].reshape(*shape)."
            )
        target = getattr(blob, half)
        try:
            target[...] = array
        except ValueError:
            raise UsageError(
                f"what was given for '{name}' has shape {array.shape}, which does not fit {blob.shape}. "
                f"Reshape first: net.blobs['{name}'].reshape(*shape)."
            ) from None


def _numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    """What a caller gives for a blob, as an array."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of unequal lengths
        raise UsageError(f"what was given for '{name}' is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise UsageError(f"what was given for '{name}' holds {array.dtype}, but must hold numbers")
    return array
