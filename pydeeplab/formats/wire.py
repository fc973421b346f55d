"""Protobuf's wire format, as far as large arrays need it.

Weight files are protobuf messages of which almost all bytes are packed floats. Walking over the fields and copying
the floats straight into arrays takes one copy of the data instead of three, works for every dialect (fields that mean
different things in different forks are stepped over) and knows where a damaged file breaks off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Piece", "WireError", "fields", "integers", "length", "nested", "number", "packed", "signed", "text"]

Piece = bytes | memoryview
"""A stretch of an encoded message; a message is a list of pieces, so that arrays are written without a copy."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


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


def fields(buffer: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over the fields of a message.

    Parameters
    ----------
    buffer : memoryview
        The encoded message, bytes.

    Yields
    ------
    field : int
        The field's number.
    value : int or memoryview
        An int for a varint, else the bytes: of a string, a sub-message, packed values, or one fixed-size value.

    Raises
    ------
    WireError
        The bytes end too early, or are not a protobuf message.
    """
    position, end = 0, len(buffer)
    while position < end:
        start = position
        key, position = _varint(buffer, position)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(buffer, position)
            yield field, value
            continue
        if kind == _BYTES:
            size, position = _varint(buffer, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise WireError(f"byte {key & 0xFF:#04x} begins no protobuf field", start)
        if field == 0:
            raise WireError("a field numbered 0", start)
        if size > end - position:
            raise WireError(f"field {field} announces {size} bytes, {end - position} are left", start)
        yield field, buffer[position : position + size]
        position += size


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


def _encode_varint(value: int) -> bytes:
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
    return [_encode_varint(field << 3 | _VARINT) + _encode_varint(value)]


def nested(field: int, pieces: Sequence[Piece]) -> list[Piece]:
    """Encode a field that holds bytes: a string or a sub-message."""
    return [_encode_varint(field << 3 | _BYTES) + _encode_varint(length(pieces)), *pieces]


def text(field: int, value: str) -> list[Piece]:
    """Encode a string field."""
    return nested(field, [value.encode()])


def packed(field: int, values: NDArray[Any] | Sequence[int]) -> list[Piece]:
    """Encode a packed field: float or double from an array (not copied if C-contiguous), int64 from a sequence."""
    if isinstance(values, np.ndarray):
        little = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
        return nested(field, [little.reshape(-1).view(np.uint8).data]) if values.size else []
    return nested(field, [b"".join(map(_encode_varint, values))]) if values else []
