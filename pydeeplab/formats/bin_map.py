"""The ``.bin`` files of DeepLab's CRF programs: label maps and class probabilities.

Three little-endian int32 (rows, columns, channels), then the values in MATLAB's order, row fastest and channel slowest:
int16 labels of one channel, or float32 probabilities.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError
from pydeeplab.files import write_bytes

__all__ = ["read_bin", "write_bin"]

_HEADER = struct.Struct("<3i")
_MOST = 2**31


def read_bin(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read labels, (H, W) int16, or probabilities, (C, H, W) float32; the file's size says which.

    Raises
    ------
    DataError
        There is no such file, or its size is not what its header promises.
    """
    name = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from None
    if len(data) < _HEADER.size:
        raise DataError(f"{name}: is no .bin file of DeepLab: {len(data)} bytes, its header alone has {_HEADER.size}")
    rows, columns, channels = _HEADER.unpack_from(data)
    count = rows * columns * channels
    if min(rows, columns, channels) < 1 or count > _MOST:
        raise DataError(f"{name}: is no .bin file of DeepLab: its header says {rows} x {columns} x {channels}")
    body = len(data) - _HEADER.size
    if body == 2 * count and channels == 1:
        return np.ascontiguousarray(np.frombuffer(data, "<i2", offset=_HEADER.size).reshape(columns, rows).T)
    if body == 4 * count:
        maps = np.frombuffer(data, "<f4", offset=_HEADER.size).reshape(channels, columns, rows)
        return np.ascontiguousarray(maps.transpose(0, 2, 1))
    labels = f"{2 * count} (labels) or " if channels == 1 else ""
    raise DataError(
        f"{name}: a {rows} x {columns} x {channels} map has {labels}{4 * count} bytes (probabilities) after its "
        f"header, got {body}; the file is cut off, or something else"
    )


def write_bin(path: str | os.PathLike[str], values: NDArray[Any]) -> None:
    """Write labels or probabilities atomically.

    Parameters
    ----------
    values
        (H, W) integers of 0 to 32767, written as int16; or (C, H, W) floating point, written as float32.

    Raises
    ------
    DataError
        The array is neither.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "2007_000033.bin")
    >>> write_bin(path, np.array([[0, 1], [2, 255]]))
    >>> read_bin(path).tolist()
    [[0, 1], [2, 255]]
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() < 2**15:
        header = _HEADER.pack(*array.shape, 1)
        body = np.ascontiguousarray(array.T, "<i2").tobytes()
    elif array.ndim == 3 and array.dtype.kind == "f" and array.size:
        header = _HEADER.pack(*array.shape[1:], array.shape[0])
        body = np.ascontiguousarray(array.transpose(0, 2, 1), "<f4").tobytes()
    else:
        raise DataError(
            f"{os.fspath(path)}: a .bin file takes labels (H, W) of 0..32767 or probabilities (C, H, W), got "
            f"{array.dtype} of shape {array.shape}"
        )
    write_bytes(path, header + body)
