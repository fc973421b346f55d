"""The errors of pydeeplab.

    PydeeplabError
    ├── PrototxtError (RuntimeError)          a net or solver text cannot be read: syntax or meaning, with its position
    │   └── LayerError                        one layer cannot be built or run
    │       └── ShapeError (ValueError)       shapes do not fit each other or the layer's parameters
    ├── WeightsError (RuntimeError)           a weight, state or mean file is damaged or does not fit the net
    ├── DataError (RuntimeError, ValueError)  an image, label, list or array handed in cannot be used
    ├── UsageError (RuntimeError, ValueError) a call or command-line argument makes no sense
    ├── OutputError (OSError)                 a file cannot be written; what was there before is still there
    ├── DeviceError (RuntimeError)            a GPU is not there, or what was asked of it failed
    │   └── DeviceMemoryError (MemoryError)   its memory is used up
    └── UnsupportedError (NotImplementedError)  valid, but not implemented by this backend or build

Where pycaffe raises ``RuntimeError`` (or plain ``Exception``) ours can be caught as that too. Every message says what
was expected, what was found, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataError",
    "DeviceError",
    "DeviceMemoryError",
    "LayerError",
    "OutputError",
    "PrototxtError",
    "PydeeplabError",
    "ShapeError",
    "UnsupportedError",
    "UsageError",
    "WeightsError",
    "counted",
    "did_you_mean",
]


class PydeeplabError(Exception):
    """Root of all errors that pydeeplab raises on purpose."""


class PrototxtError(PydeeplabError, RuntimeError):
    """A prototxt cannot be read, or means nothing. Messages begin with ``file:line:column:`` where that is known."""


class LayerError(PrototxtError):
    """A layer cannot be built or run; the message names the layer, its type and its place in the prototxt."""


class ShapeError(LayerError, ValueError):
    """Shapes of blobs do not fit; the message says expected and got."""


class WeightsError(PydeeplabError, RuntimeError):
    """A weight, solver-state or mean file is damaged, or its blobs do not fit the net."""


class DataError(PydeeplabError, RuntimeError, ValueError):
    """An image, label map, list file or array cannot be used; the message names file and pixel where it can."""


class UsageError(PydeeplabError, RuntimeError, ValueError):
    """An argument or a combination of arguments makes no sense."""


class OutputError(PydeeplabError, OSError):
    """A file cannot be written: no such folder, no permission, no room. What stood there before still does."""


class DeviceError(PydeeplabError, RuntimeError):
    """There is no usable GPU, or a call to it failed; the message names the kernel, its shapes and the cause."""


class DeviceMemoryError(DeviceError, MemoryError):
    """The GPU's memory is used up; the message says how much is in use and by whom."""


class UnsupportedError(PydeeplabError, NotImplementedError):
    """The request is valid, but this backend or build does not implement it."""


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    Examples
    --------
    >>> counted(1, "layer"), counted(3, "layer")
    ('1 layer', '3 layers')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known word, or an empty string when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
