"""BlobProto messages: arrays in Caffe's binary files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend.room import check_room
from pydeeplab.errors import WeightsError
from pydeeplab.files import atomic_path
from pydeeplab.formats.weights import StoredBlob, describe_shape
from pydeeplab.proto import wire

__all__ = ["MAX_MESSAGE", "encode_blob", "parse_blob", "read_file", "write_message"]

MAX_MESSAGE = 2**31 - 1
"""The most bytes that a protobuf message may have; Caffe cannot read a larger one."""

_CHUNK, _THREADS = 2**24, 4
"""Bytes that a thread reads at once, and how many do so."""

_NUM, _WIDTH, _DATA, _DIFF, _SHAPE, _DOUBLE_DATA, _DOUBLE_DIFF = 1, 4, 5, 6, 7, 8, 9
_RAW_DATA_TYPE, _RAW_DIFF_TYPE, _RAW_DATA, _RAW_DIFF = 10, 11, 12, 13  # NVIDIA's fork
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}


def read_file(path: str | os.PathLike[str]) -> memoryview:
    """The bytes of a file, read by several threads.

    It is not mapped into memory: a mapped file that another program cuts short ends this process.

    Raises
    ------
    WeightsError
        The file became shorter while it was read.
    MemoryError
        It does not fit into memory.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        check_room(size)
        view = np.empty(size, np.uint8).data

        def read(start: int) -> None:
            end = min(start + _CHUNK, size)
            while start < end:
                count = os.preadv(file.fileno(), [view[start:end]], start)
                if not count:
                    raise WeightsError(
                        f"{os.fspath(path)} became shorter while it was read. Read it again when it is whole."
                    )
                start += count

        starts = range(0, size, _CHUNK)
        if len(starts) > 1:
            with ThreadPoolExecutor(min(_THREADS, len(starts))) as pool:
                list(pool.map(read, starts))
        elif size:
            read(0)
    return view


def _reals(chunks: Sequence[memoryview | int], dtype: str, own: bool) -> NDArray[Any] | None:
    """The values of a repeated field, float32 or float64; None where it has none."""
    parts = [chunk for chunk in chunks if isinstance(chunk, memoryview)]
    if len(parts) != len(chunks) or any(len(part) % np.dtype(dtype).itemsize for part in parts):
        raise wire.WireError(f"a list of values of type {np.dtype(dtype)} whose length is no multiple of their size")
    if not parts:
        return None
    whole: Any = parts[0] if len(parts) == 1 else b"".join(parts)
    return np.frombuffer(whole, dtype).astype(np.float64 if dtype == "<f8" else np.float32, copy=own)


def parse_blob(buffer: memoryview, *, own: bool = True) -> StoredBlob:
    """Decode a BlobProto.

    The shape is ``shape``, or num, channels, height and width in older files; a blob without any is a scalar.
    ``double_data`` is preferred to ``data``, as in Caffe; the half-precision ``raw_data`` of NVIDIA's fork is read too.
    Unless arrays are to ``own`` their memory they are views of the buffer where they can be, aligned to nothing.

    Raises
    ------
    WireError
        The bytes are no BlobProto, or the number of values is not the shape's.
    """
    legacy: dict[int, int] = {}
    dims: list[int] = []
    lists: dict[int, list[memoryview | int]] = {}
    for field, value in wire.fields(buffer):
        if _NUM <= field <= _WIDTH and isinstance(value, int):
            legacy[field] = wire.signed(value)
        elif field == _SHAPE and isinstance(value, memoryview):
            dims += [n for _, dim in wire.fields(value) for n in wire.integers(dim)]
        else:
            lists.setdefault(field, []).append(value)
    shape = tuple(legacy.get(i, 0) for i in range(_NUM, _WIDTH + 1)) if legacy else tuple(dims)

    def values(real: int, double: int, raw: int, raw_type: int) -> NDArray[Any] | None:
        if raw in lists:
            kind = lists.get(raw_type, [0])[-1]
            if kind not in _RAW_TYPES:
                raise wire.WireError(f"raw_data of type {kind}, which is neither float16, float32 nor float64")
            return _reals(lists[raw], _RAW_TYPES[kind], own)
        found = _reals(lists.get(double, ()), "<f8", own)
        return found if found is not None else _reals(lists.get(real, ()), "<f4", own)

    data = values(_DATA, _DOUBLE_DATA, _RAW_DATA, _RAW_DATA_TYPE)
    diff = values(_DIFF, _DOUBLE_DIFF, _RAW_DIFF, _RAW_DIFF_TYPE)
    data = np.empty(0, np.float32) if data is None else data
    return StoredBlob(_shaped(data, shape), None if diff is None else _shaped(diff, shape), bool(legacy))


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        if min(shape, default=0) >= 0:
            return values.reshape(shape)
    except ValueError:
        pass
    raise wire.WireError(f"a blob of shape {describe_shape(shape)} has {values.size} values")


def encode_blob(data: NDArray[Any], diff: NDArray[Any] | None = None, *, legacy: bool = False) -> list[wire.Piece]:
    """Encode a BlobProto, in pieces that refer to the arrays (float32, or float64 as ``double_data``).

    With ``legacy`` the four axes are written as num, channels, height and width, as mean files have them.
    """
    if diff is not None and diff.shape != data.shape:
        raise WeightsError(
            f"a diff of shape {describe_shape(diff.shape)} does not fit data of {describe_shape(data.shape)}"
        )
    double = data.dtype == np.float64
    pieces: list[wire.Piece] = []
    if legacy:
        for field, dim in zip(range(_NUM, _WIDTH + 1), data.shape, strict=True):
            pieces += wire.number(field, dim)
    pieces += wire.packed(_DOUBLE_DATA if double else _DATA, data)
    if diff is not None:
        pieces += wire.packed(_DOUBLE_DIFF if double else _DIFF, diff.astype(data.dtype, copy=False))
    if data.ndim and not legacy:
        pieces += wire.nested(_SHAPE, wire.packed(1, data.shape))
    return pieces


def write_message(path: str | os.PathLike[str], pieces: Iterable[wire.Piece], instead: str) -> None:
    """Write an encoded message atomically; `WeightsError` advising ``instead`` where it is too large for protobuf."""
    pieces = list(pieces)
    size = wire.length(pieces)
    if size > MAX_MESSAGE:
        raise WeightsError(
            f"cannot write {os.fspath(path)}: {size / 2**30:.2f} GiB, and a protobuf file may have at most 2 GiB. "
            f"Write {instead} instead."
        )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.writelines(pieces)
