"""Reading MATLAB files of versions 4, 5 and 7, with every length checked against the bytes that there are.

SciPy's reader trusts the lengths that a file announces, and a damaged file can crash the process. This one reads the
real numeric arrays that nets exchange, and says of everything else what it is.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NUMERIC_CLASSES",
    "OTHER_CLASSES",
    "MatError",
    "MatVariable",
    "byte_order",
    "mat_variables",
    "matrices",
    "read_element",
    "read_head",
    "read_values",
]

_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_ELEMENTS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
OTHER_CLASSES = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_COMPLEX = 0x800
_OBJECT = 3
_HEADER, _HEAD = 128, 4096
"""Bytes of a file's header, and of the decompressed start of a variable that holds its shape and name."""
_MOST_DEFLATED = 1032
"""How many bytes one byte of deflated data can stand for at most."""
_VERSION_4 = ("f8", "f4", "i4", "i2", "u2", "u1")


class MatError(ValueError):
    """Bytes are no MATLAB file that can be read; the message says why."""


@dataclass(frozen=True)
class MatVariable:
    """A variable of a file.

    Attributes
    ----------
    name : str
    shape : tuple of int
        As MATLAB sees it, first axis first in memory.
    other : str
        What it is, in words, if it is no real numeric array; else empty.
    load : callable
        Reads a numeric array, in the type of its MATLAB class; `MatError` if its values are damaged.
    """

    name: str
    shape: tuple[int, ...]
    other: str
    load: Callable[[], NDArray[Any]]


def mat_variables(buffer: memoryview) -> Iterator[MatVariable]:
    """Walk over the variables of a file.

    Raises
    ------
    MatError
        The bytes are no .mat file, end too early, or are one of version 7.3.
    """
    if len(buffer) >= 20 and 0 in buffer[:4]:
        return _version_4(buffer)
    return _version_5(buffer, byte_order(buffer))


def byte_order(buffer: memoryview) -> str:
    """``<`` or ``>``, as the header of a file of version 5 or 7 says; `MatError` if it is none."""
    if len(buffer) < _HEADER:
        raise MatError(f"{len(buffer)} bytes are too few for one")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(buffer[126:128]))
    if order is None:
        raise MatError("its header does not say that it is one")
    if struct.unpack_from(f"{order}H", buffer, 124)[0] >> 8 == 2:
        raise MatError("it is of version 7.3 (HDF5); save it with -v7 or older")
    return order


def read_element(buffer: memoryview, at: int, order: str) -> tuple[int, memoryview, int]:
    """Type and data of the element at a byte, and where the next one begins."""
    if at + 8 > len(buffer):
        raise MatError(f"the data end within the element at byte {at}")
    word, size = struct.unpack_from(f"{order}2I", buffer, at)
    start, after = at + 8, -size % 8
    if word >> 16:  # a small one: size and type share a word, the data are in the next
        word, size, start, after = word & 0xFFFF, word >> 16, at + 4, 4 - (word >> 16)
    if after < 0 or start + size > len(buffer):
        raise MatError(f"the element at byte {at} announces {size} bytes, {max(len(buffer) - start, 0)} are left")
    return word, buffer[start : start + size], start + size + (after if word != _COMPRESSED else 0)


def _version_5(buffer: memoryview, order: str) -> Iterator[MatVariable]:
    for head, body in matrices(buffer, order):
        yield _describe(head, order, body)


def matrices(buffer: memoryview, order: str) -> Iterator[tuple[memoryview, Callable[[], memoryview]]]:
    """The variables of a file of version 5 or 7: the first bytes of each, and a function that gives all of them."""
    at = _HEADER
    while at < len(buffer):
        start = at
        kind, data, at = read_element(buffer, at, order)
        if kind == _COMPRESSED:
            yield _inflate(data, order, _HEAD), partial(_inflate, data, order)
        elif kind == _MATRIX:
            yield data, partial(_given, data)
        else:
            raise MatError(f"byte {start} begins no variable")


def _given(data: memoryview) -> memoryview:
    return data


def _inflate(data: memoryview, order: str, most: int | None = None) -> memoryview:
    """The matrix in a compressed element: the whole of it, or its first bytes."""
    stream = zlib.decompressobj()
    try:
        kind, size = struct.unpack(f"{order}2I", stream.decompress(data, 8))
        if kind != _MATRIX or size > _MOST_DEFLATED * len(data):
            raise MatError("a compressed variable announces more than it can hold")
        count = size if most is None else min(size, most)
        found = stream.decompress(stream.unconsumed_tail, count) if count else b""
        if most is None:
            stream.decompress(stream.unconsumed_tail, 8)  # on to the checksum
    except (zlib.error, struct.error) as error:
        raise MatError(f"a compressed variable is damaged ({error})") from None
    if len(found) < count or (most is None and not stream.eof):
        raise MatError("a compressed variable ends too early")
    return memoryview(found)


def read_head(head: memoryview, order: str) -> tuple[int, tuple[int, ...], str, int]:
    """Class and flags, shape and name of a matrix, and where its values begin; objects have another layout."""
    kind, flags, at = read_element(head, 0, order)
    if kind != _UINT32 or len(flags) != 8:
        raise MatError("a variable without a class")
    word = struct.unpack_from(f"{order}I", flags)[0]
    kind, dims, at = read_element(head, at, order)
    if kind != _INT32 or len(dims) % 4:
        return _OBJECT, (), "", at
    shape = tuple(np.frombuffer(dims, f"{order}i4").tolist())
    kind, letters, at = read_element(head, at, order)
    return word, shape, bytes(letters).decode("latin-1") if kind == _INT8 else "", at


def _describe(head: memoryview, order: str, body: Callable[[], memoryview]) -> MatVariable:
    """What the first three elements of a matrix tell; its values come after them."""
    word, shape, name, at = read_head(head, order)
    dtype = NUMERIC_CLASSES.get(word & 0xFF)
    if dtype is None or word & _COMPLEX:
        other = "complex" if dtype else OTHER_CLASSES.get(word & 0xFF, "something else")
        return MatVariable(name, shape, other, partial(_no_values, name))
    return MatVariable(name, shape, "", lambda: read_values(name, shape, dtype, body(), at, order))


def _no_values(name: str) -> NDArray[Any]:
    raise MatError(f"variable '{name}' is no numeric array")


def read_values(name: str, shape: tuple[int, ...], dtype: str, body: memoryview, at: int, order: str) -> NDArray[Any]:
    """The values of a numeric matrix, which begin at a byte of its body."""
    kind, data, _ = read_element(body, at, order)
    if kind not in _ELEMENTS:
        raise MatError(f"variable '{name}' has values of an unknown type ({kind})")
    stored = np.dtype(order + _ELEMENTS[kind])
    return _shaped(name, shape, dtype, data, stored)


def _shaped(name: str, shape: tuple[int, ...], dtype: str, data: memoryview, stored: np.dtype[Any]) -> NDArray[Any]:
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * stored.itemsize != len(data):
        size = " x ".join(map(str, shape))
        raise MatError(f"variable '{name}' of size {size} has {len(data)} bytes of values of {stored.itemsize} each")
    with np.errstate(all="ignore"):
        return np.frombuffer(data, stored).astype(dtype).reshape(shape, order="F")


def _version_4(buffer: memoryview) -> Iterator[MatVariable]:
    at = 0
    while at < len(buffer):
        if at + 20 > len(buffer):
            raise MatError(f"the data end within the variable at byte {at}")
        order = "<" if 0 <= struct.unpack_from("<i", buffer, at)[0] < 5000 else ">"
        code, rows, columns, imaginary, letters = struct.unpack_from(f"{order}5i", buffer, at)
        machine, precision, kind = code // 1000, code // 10 % 10, code % 10
        known = machine == (order == ">") and precision < len(_VERSION_4) and kind <= 2
        if not known or imaginary not in (0, 1) or min(rows, columns) < 0 or letters < 1:
            raise MatError(f"byte {at} begins no variable of version 4")
        stored = np.dtype(order + _VERSION_4[precision])
        start, size = at + 20 + letters, rows * columns * stored.itemsize
        end = start + size * (1 + imaginary)
        if end > len(buffer):
            raise MatError(f"the variable at byte {at} announces {end - at} bytes, {len(buffer) - at} are left")
        name = bytes(buffer[at + 20 : start]).rstrip(b"\0").decode("latin-1")
        other = "complex" if imaginary else ("", "text", "a sparse matrix")[kind]
        data, shape = buffer[start : start + size], (rows, columns)
        dtype = stored.newbyteorder("=").str
        yield MatVariable(name, shape, other, partial(_shaped, name, shape, dtype, data, stored))
        at = end
