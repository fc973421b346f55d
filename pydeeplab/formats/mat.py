"""MATLAB files (version 5) of one array, as DeepLab's MatWrite and MatRead exchange them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError, did_you_mean
from pydeeplab.files import atomic_path
from pydeeplab.formats.mat_reader import MatError, MatVariable, mat_variables

__all__ = ["read_mat", "variables", "write_mat"]

_HEADER = b"MATLAB 5.0 MAT-file, Platform: any, Created by: pydeeplab"
_INT8, _INT32, _UINT32, _SINGLE, _DOUBLE, _MATRIX = 1, 5, 6, 7, 9, 14
_CLASSES = {"float32": (7, _SINGLE), "float64": (6, _DOUBLE)}
"""MATLAB's array class and element type."""


def _padding(count: int) -> bytes:
    return bytes(-count % 8)


def write_mat(path: str | os.PathLike[str], array: NDArray[Any], name: str = "data") -> None:
    """Write one array as MatWrite does: uncompressed, class single or double, dimensions reversed.

    Parameters
    ----------
    path
        The file; it is replaced as a whole or not at all.
    array
        float32 or float64, at most 4 axes, (N, C, H, W). Missing axes count as 1 at the end, as in Caffe. MATLAB sees
        a 4-d array [W, H, C, N], whose memory is that of the C-contiguous array.
    name
        The variable's name, 1 to 63 characters.

    Raises
    ------
    DataError
        The type or number of axes is another, the array has 4 GiB or more, or the name is no MATLAB name.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_mat(os.path.join(folder, "x.mat"), np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3))
    >>> read_mat(os.path.join(folder, "x.mat"))[0, 0, 1]
    array([3., 4., 5.], dtype=float32)
    """
    array = np.asarray(array)
    if array.dtype.name not in _CLASSES:
        raise DataError(f"{path}: a .mat file takes float32 or float64 arrays here, got {array.dtype}")
    if array.ndim > 4:
        raise DataError(f"{path}: a .mat file takes at most 4 axes here, got shape {array.shape}")
    shape = array.shape + (1,) * (4 - array.ndim)
    array_class, element = _CLASSES[array.dtype.name]
    body = struct.pack("<4I", _UINT32, 8, array_class, 0)
    body += struct.pack("<2I4i", _INT32, 16, *reversed(shape))
    if not (name.isascii() and name.isidentifier() and len(name) <= 63):
        raise DataError(f"{path}: '{name}' is no name for a MATLAB variable: 1 to 63 letters, digits and _")
    label = name.encode("ascii")
    if len(label) <= 4:
        body += struct.pack("<I4s", len(label) << 16 | _INT8, label)
    else:
        body += struct.pack("<2I", _INT8, len(label)) + label + _padding(len(label))
    body += struct.pack("<2I", element, array.nbytes & 0xFFFFFFFF)
    padding = _padding(array.nbytes)
    total = len(body) + array.nbytes + len(padding)
    if total >= 2**32:
        raise DataError(f"{path}: version 5 .mat files hold less than 4 GiB, got an array of shape {array.shape}")
    start = _HEADER.ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + struct.pack("<2I", _MATRIX, total)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(start + body)
        file.write(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).data)
        file.write(padding)


def _open(path: str | os.PathLike[str]) -> list[MatVariable]:
    """The variables of a file."""
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise DataError(f"{path}: is no file, but a folder or a device; give the .mat file itself")
        return list(mat_variables(memoryview(Path(path).read_bytes())))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MatError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str | os.PathLike[str], error: MatError) -> DataError:
    return DataError(f"{path}: cannot be read as a .mat file: {error}")


def variables(path: str | os.PathLike[str]) -> list[str]:
    """The names of a file's variables; raises what `read_mat` raises for the file."""
    return [variable.name for variable in _open(path)]


def read_mat(path: str | os.PathLike[str], name: str = "data") -> NDArray[Any]:
    """Read one array as (N, C, H, W): the reverse of `write_mat`, for any version 4, 5 or 7 file.

    Parameters
    ----------
    path
        The file.
    name
        The variable: real and numeric, at most 4 dimensions [W, H, C, N]; missing ones count as 1.

    Returns
    -------
    ndarray
        C-contiguous, 4 axes, of the type that MATLAB would give it.

    Raises
    ------
    DataError
        There is no such file, it is no .mat file or a damaged one, or the variable is missing or something else.
    """
    found = {variable.name: variable for variable in _open(path)}
    if name not in found:
        names = ", ".join(found) or "none"
        raise DataError(f"{path}: has no variable '{name}', only {names}.{did_you_mean(name, found)}")
    variable = found[name]
    if variable.other or len(variable.shape) > 4:
        what = variable.other or f"one of size {' x '.join(map(str, variable.shape))}"
        raise DataError(f"{path}: variable '{name}' must be a real numeric array of at most 4 dimensions, got {what}")
    try:
        array = variable.load()
    except MatError as error:
        raise _unreadable(path, error) from None
    return np.ascontiguousarray(array.reshape(array.shape + (1,) * (4 - array.ndim), order="F").T)
