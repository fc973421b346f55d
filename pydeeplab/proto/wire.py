"""Protobuf's wire format, as far as large arrays need it.

Weight files are protobuf messages of which almost all bytes are packed floats. Walking over the fields and copying
the floats straight into arrays takes one copy of the data instead of three, works for every dialect (fields that mean
different things in different forks are stepped over) and knows where a damaged file breaks off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BYTES",
    "FIXED32",
    "FIXED64",
    "VARINT",
    "Field",
    "Piece",
    "WireError",
    "encode_varint",
    "fields",
    "integers",
    "length",
    "nested",
    "number",
    "packed",
    "signed",
    "text",
    "walk",
]

Piece = bytes | memoryview
"""A stretch of an encoded message; a message is a list of pieces, so that arrays are written without a copy."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: how a field's value is encoded."""


class WireError(ValueError):
    """Bytes are not a protobuf message; ``position`` is the offset in the message that was walked."""

    def __init__(self, message: str, position: int = 0):
        super().__init__(message)
        self.position = position


def _varint(buffer: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    try:
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
            if shift > 63:
                raise WireError("a number of more than ten bytes", position)
    except IndexError:
        raise WireError("the data ends within a number", position) from None


class Field(NamedTuple):
    """One field of an encoded message, by offsets: from ``start`` to ``end``, its value's bytes from ``value`` on.

    ``kind`` is its wire type; ``varint`` the number that it holds if that is `VARINT`.
    """

    number: int
    kind: int
    start: int
    value: int
    end: int
    varint: int


def walk(buffer: memoryview) -> Iterator[Field]:
    """Walk over the fields of an encoded message.

    Raises
    ------
    WireError
        The bytes end too early, or are not a protobuf message.
    """
    position, length = 0, len(buffer)
    while position < length:
        start = position
        key, position = _varint(buffer, position)
        number, kind = key >> 3, key & 7
        if kind not in (VARINT, BYTES, FIXED32, FIXED64):
            raise WireError(f"byte {key & 0xFF:#04x} begins no protobuf field", start)
        if number == 0:
            raise WireError("a field numbered 0", start)
        value, varint = position, 0
        if kind == VARINT:
            varint, position = _varint(buffer, position)
        elif kind == BYTES:
            size, value = _varint(buffer, position)
            position = value + size
        else:
            position += 4 if kind == FIXED32 else 8
        if position > length:
            raise WireError(f"field {number} announces {position - value} bytes, {length - value} are left", start)
        yield Field(number, kind, start, value, position, varint)


def fields(buffer: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message as (number, value): an int for a varint, else the bytes of a string, a sub-message,
    packed values or one fixed-size value.

    Raises
    ------
    WireError
        The bytes end too early, or are not a protobuf message.
    """
    for field in walk(buffer):
        yield field.number, field.varint if field.kind == VARINT else buffer[field.value : field.end]


def signed(value: int) -> int:
    """The number that a varint of type int32 or int64 stands for."""
    return value - (1 << 64) if value >> 63 else value


def integers(value: int | memoryview) -> list[int]:
    """The int32 or int64 values of one occurrence of a repeated field, packed or not."""
    if isinstance(value, int):
        return [signed(value)]
    numbers, position = [], 0
    while position < len(value):
        one, position = _varint(value, position)
        numbers.append(signed(one))
    return numbers


def encode_varint(value: int) -> bytes:
    """Encode an integer, negative ones as their 64-bit complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length(pieces: Sequence[Piece]) -> int:
    """The number of bytes of all pieces together."""
    return sum(map(len, pieces))


def number(field: int, value: int) -> list[Piece]:
    """Encode an integer field."""
    return [encode_varint(field << 3 | VARINT) + encode_varint(value)]


def nested(field: int, pieces: Sequence[Piece]) -> list[Piece]:
    """Encode a field that holds bytes: a string or a sub-message."""
    return [encode_varint(field << 3 | BYTES) + encode_varint(length(pieces)), *pieces]


def text(field: int, value: str) -> list[Piece]:
    """Encode a string field."""
    return nested(field, [value.encode()])


def packed(field: int, values: NDArray[Any] | Sequence[int]) -> list[Piece]:
    """Encode a packed field: float or double from an array (not copied if C-contiguous), int64 from a sequence."""
    if isinstance(values, np.ndarray):
        little = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
        return nested(field, [little.reshape(-1).view(np.uint8).data]) if values.size else []
    return nested(field, [b"".join(map(encode_varint, values))]) if values else []
