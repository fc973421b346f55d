"""Files of ``torch.save``, without PyTorch: the zip archives of 1.6 and later, and the plain ones before.

A zip archive holds ``<name>/data.pkl`` (a pickle in which each tensor refers to a storage by a key), the bytes of each
storage as ``<name>/data/<key>``, and perhaps ``<name>/byteorder``. An older file is a row of pickles: a magic number, a
version, facts about the machine, the object, the list of the storages' keys; and behind it, in the order of that list,
each storage as a count (8 bytes) and its values.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import WeightsError
from pydeeplab.formats.blobproto import read_file
from pydeeplab.formats.sniff import damaged
from pydeeplab.formats.torch_pickle import (
    RefusedPickle,
    Storage,
    StoredTensor,
    brief,
    item_size,
    load_pickle,
    read_values,
)

__all__ = ["is_torch_archive", "read_torch_archive"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_ADVICE = "In PyTorch: torch.save(model.state_dict(), FILE), or save it as .safetensors."
_STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
)
"""What reading a file that is damaged raises, of zipfile and of the reader of pickles."""

Values = NDArray[Any]
Fetch = Callable[[Storage], Values]


def is_torch_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a zip file is one of ``torch.save``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    except _DAMAGE:
        return False


def read_torch_archive(path: str | os.PathLike[str]) -> dict[str, Values]:
    """The tensors of a state dict by key, in the file's order; the state dict may lie within a checkpoint.

    Parameters
    ----------
    path : path
        A ``.pth``, ``.pt`` or ``.bin`` of ``torch.save``.

    Returns
    -------
    dict
        Arrays in their own type; half precision as float32. Values that are no tensors are left out.

    Raises
    ------
    WeightsError
        The file is damaged, holds other objects than tensors (which are never created), or no state dict.
    """
    try:
        return _read_zip(path) if zipfile.is_zipfile(path) else _read_plain(path)
    except RefusedPickle as error:
        raise WeightsError(
            f"{os.fspath(path)} is refused: beside tensors it holds {error}. A pickle can run any program when it is "
            f"loaded, so only plain tensors are read. {_ADVICE}"
        ) from None
    except _DAMAGE as error:
        if isinstance(error, WeightsError):
            raise
        raise damaged(path, f"is a damaged PyTorch file ({error})") from error


def _read_zip(path: str | os.PathLike[str]) -> dict[str, Values]:
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        index = next((name for name in entries if name.rpartition("/")[2] == "data.pkl"), None)
        if index is None:
            raise ValueError("no data.pkl in the archive")
        root = index.removesuffix("data.pkl")
        order = archive.read(root + "byteorder") if root + "byteorder" in entries else b"little"

        def fetch(storage: Storage) -> Values:
            entry = entries[f"{root}data/{storage.key}"]
            size = storage.count * item_size(storage.dtype)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != size:
                raise ValueError(f"storage {storage.key} should have {size} bytes, not compressed")
            return read_values(memoryview(archive.read(entry)), storage.dtype, little_endian=order == b"little")

        if entries[index].compress_type != zipfile.ZIP_STORED:
            raise ValueError("data.pkl is compressed")
        with archive.open(index) as stream:
            found = load_pickle(cast(BinaryIO, stream))
        return _state(found, fetch, path)


class _Reader:
    """A stream over bytes in memory, which reads no more than there is."""

    def __init__(self, buffer: memoryview):
        self.buffer = buffer
        self.position = 0

    def read(self, count: int = -1) -> bytes:
        """At most ``count`` bytes."""
        end = len(self.buffer) if count < 0 else min(self.position + count, len(self.buffer))
        taken = bytes(self.buffer[self.position : end])
        self.position = end
        return taken

    def readline(self) -> bytes:
        """Up to the end of the line; what has no end within 4096 bytes is no line of a pickle."""
        line = bytes(self.buffer[self.position : self.position + 4096]).partition(b"\n")
        taken = b"".join(line[:2])
        self.position += len(taken)
        return taken

    def tell(self) -> int:
        """The position."""
        return self.position


def _read_plain(path: str | os.PathLike[str]) -> dict[str, Values]:
    buffer = read_file(path)
    reader = _Reader(buffer)
    stream = cast(BinaryIO, reader)
    if load_pickle(stream) != _MAGIC or load_pickle(stream) != _VERSION:
        raise ValueError("no magic number, or an unknown version")
    machine = load_pickle(stream)
    little = bool(machine.get("little_endian", True)) if isinstance(machine, dict) else True
    found = load_pickle(stream)
    keys = load_pickle(stream)
    if not isinstance(keys, list):
        raise ValueError("no list of storages")
    sizes = {tensor.storage.key: item_size(tensor.storage.dtype) for tensor in _all_tensors(found)}
    places: dict[str, tuple[int, int]] = {}
    position = reader.position
    for key in keys:
        count = int.from_bytes(buffer[position : position + 8], "little" if little else "big")
        if key not in sizes:  # of a tensor that is not in a dict: its type, and so its length, is not known
            raise RefusedPickle(f"storage {brief(key)} that no tensor uses")
        places[key] = (position + 8, count)
        position += 8 + count * sizes[key]
        if position > len(buffer):
            raise ValueError(f"storage {key} ends beyond the file")

    def fetch(storage: Storage) -> Values:
        start, count = places[storage.key]
        if storage.start + storage.count > count:
            raise ValueError(f"storage {storage.key} has {count} values")
        size = item_size(storage.dtype)
        begin = start + storage.start * size
        return read_values(buffer[begin : begin + storage.count * size], storage.dtype, little_endian=little)

    return _state(found, fetch, path)


def _all_tensors(found: Any) -> list[StoredTensor]:
    """Every tensor within nested dicts, lists and tuples, each container once."""
    tensors, seen, left = [], set(), [found]
    while left:
        value = left.pop()
        if isinstance(value, StoredTensor):
            tensors.append(value)
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            left.extend(value.values() if isinstance(value, dict) else value)
    return tensors


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(item, StoredTensor) for item in value.values())


def _state(found: Any, fetch: Fetch, path: str | os.PathLike[str]) -> dict[str, Values]:
    """The arrays of the state dict within what was read."""
    state = found
    if not _holds_tensors(state) and isinstance(state, Mapping):
        named = [state[key] for key in _STATE_KEYS if _holds_tensors(state.get(key))]
        others = [value for value in state.values() if _holds_tensors(value)]
        state = (named or others or [None])[0]
    if not _holds_tensors(state):
        keys = ", ".join(map(str, list(found)[:6])) if isinstance(found, dict) else type(found).__name__
        raise damaged(path, f"holds no state dict (found: {keys or 'nothing'})", _ADVICE)
    storages: dict[Storage, Values] = {}
    arrays = {}
    for key, tensor in state.items():
        if isinstance(tensor, StoredTensor):
            if tensor.storage not in storages:
                storages[tensor.storage] = fetch(tensor.storage)
            arrays[str(key)] = _array(tensor, storages[tensor.storage], str(key))
    return arrays


def _array(tensor: StoredTensor, values: Values, key: str) -> Values:
    """The tensor's own copy of its values."""
    count = int(np.prod(tensor.shape, dtype=object))
    if count == 0:
        return np.zeros(tensor.shape, values.dtype)
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
    if count > values.size or last >= values.size:
        raise ValueError(f"tensor '{key}' of shape {tensor.shape} does not lie within its {values.size} values")
    strides = [s * values.itemsize for s in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.array(view, order="C")
