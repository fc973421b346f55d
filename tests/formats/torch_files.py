"""Files as ``torch.save`` writes them, put together instruction by instruction."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


class Raw(bytes):
    """Instructions to put in as they are."""


def glob(module: str, name: str) -> Raw:
    return Raw(f"c{module}\n{name}\n".encode())


def text(value: str, *, python2: bool = False) -> Raw:
    data = value.encode()
    return Raw(b"U" + bytes([len(data)]) + data if python2 else b"X" + struct.pack("<I", len(data)) + data)


def whole(value: int) -> Raw:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return Raw(b"\x8a" + bytes([len(data)]) + data)


def code(value: Any) -> Raw:
    """The instructions that make a value."""
    if isinstance(value, Raw):
        return value
    if value is None or isinstance(value, bool):
        return Raw({None: b"N", True: b"\x88", False: b"\x89"}[value])
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return Raw(b"G" + struct.pack(">d", value))
    if isinstance(value, str):
        return text(value)
    if isinstance(value, tuple):
        return Raw(b"(" + b"".join(map(code, value)) + b"t")
    if isinstance(value, list):
        return Raw(b"](" + b"".join(map(code, value)) + b"e")
    if isinstance(value, dict):
        return Raw(b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u")
    raise TypeError(type(value))


def call(module: str, name: str, *arguments: Any) -> Raw:
    return Raw(glob(module, name) + code(tuple(arguments)) + b"R")


def ordered_dict(entries: dict[Any, Any]) -> Raw:
    """As PyTorch writes a state dict: with the attribute _metadata."""
    filled = call("collections", "OrderedDict") + b"(" + b"".join(code(k) + code(v) for k, v in entries.items()) + b"u"
    return Raw(filled + code({"_metadata": {"": {"version": 1}}}) + b"b")


def pickled(value: Any) -> bytes:
    return b"\x80\x02" + code(value) + b"."


def storage(kind: str, key: str, count: int, *, plain: bool = False, view: Any = None) -> Raw:
    extra = (view,) if plain else ()
    return Raw(code(("storage", glob("torch", kind), key, "cpu", count, *extra)) + b"Q")


def tensor(place: Raw, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0) -> Raw:
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :], dtype=int)) for i in range(len(shape)))
    return call(
        "torch._utils", "_rebuild_tensor_v2", place, offset, shape, strides, False, call("collections", "OrderedDict")
    )


def state(arrays: dict[str, np.ndarray], *, plain: bool = False) -> tuple[Raw, dict[str, bytes]]:
    """The pickle of a state dict, and its storages."""
    entries, storages = {}, {}
    for number, (key, array) in enumerate(arrays.items()):
        place = storage(KINDS[array.dtype.str[1:]], str(number), array.size, plain=plain)
        entries[key] = tensor(place, array.shape)
        storages[str(number)] = array.tobytes()
    return ordered_dict(entries), storages


def write_zip(path: Path, pickle: bytes, storages: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", b"little")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", b"3\n")
    return path


def write_plain(path: Path, pickle: bytes, storages: dict[str, tuple[int, bytes]], *, magic: int = MAGIC) -> Path:
    """``storages``: count of values, and bytes."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    file = io.BytesIO()
    for part in (pickled(magic), pickled(1001), pickled(machine), pickle, pickled(list(storages))):
        file.write(part)
    for count, data in storages.values():
        file.write(struct.pack("<q", count) + data)
    path.write_bytes(file.getvalue())
    return path
