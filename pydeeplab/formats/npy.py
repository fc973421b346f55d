"""NumPy's .npy and .npz, read with every announced size checked against the bytes that there are.

NumPy makes an array as large as a file's header says before it looks at the rest, and what it raises for a damaged
file has a dozen types. Here it is `NpyError`, and nothing is allocated for values that are not there.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

__all__ = ["NpyError", "Npz", "read_npy"]

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class NpyError(ValueError):
    """A file is no .npy or .npz, a damaged one, or one of Python objects."""


def _read(stream: IO[bytes], room: int | None = None) -> NDArray[Any]:
    """The array in a stream of which at most ``room`` bytes are left."""
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise NpyError(f"version {version[0]}.{version[1]} of the format")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise NpyError("Python objects, which may hold anything")
    if min(shape, default=0) < 0:
        raise NpyError(f"shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    data = stream.read(size) if room is None or size <= room else b""
    if len(data) != size:
        raise NpyError(f"values of shape {shape} and type {dtype} are announced, but the file ends before")
    if stream.read(1):
        raise NpyError(f"there is more than values of shape {shape} and type {dtype}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").copy(order="C")


def read_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a .npy, but not one of Python objects.

    Raises
    ------
    NpyError
        It is no .npy, or a damaged one.
    OSError
        The file cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            return _read(file, os.fstat(file.fileno()).st_size)
        except (NpyError, MemoryError):
            raise
        except Exception as error:  # what NumPy's parser of headers raises has many types
            raise NpyError(str(error) or type(error).__name__) from None


class Npz:
    """An .npz, open for reading: a context manager, and a mapping from names to arrays (not of Python objects).

    Raises
    ------
    NpyError
        It is no .npz, or a damaged one; also from reading an array.
    """

    def __init__(self, path: str | os.PathLike[str]):
        try:
            self._archive = zipfile.ZipFile(path)
            self._size = os.stat(path).st_size
            self._members = {m.filename.removesuffix(".npy"): m for m in self._archive.infolist()}
        except MemoryError:
            raise
        except Exception as error:  # BadZipFile, and whatever a damaged directory leads to
            raise NpyError(str(error) or type(error).__name__) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __getitem__(self, name: str) -> NDArray[Any]:
        member = self._members[name]
        try:
            if member.compress_size > self._size:
                raise NpyError(f"{member.compress_size} bytes are announced, the whole file has {self._size}")
            with self._archive.open(member) as stream:
                return _read(stream, member.file_size)
        except MemoryError:
            raise
        except Exception as error:  # zlib.error, BadZipFile, NotImplementedError, RuntimeError, ...
            raise NpyError(f"'{name}': {error or type(error).__name__}") from None

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._archive.close()
