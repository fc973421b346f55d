"""Files of the safetensors format: a JSON header with the place of each tensor, and their bytes."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from numpy.typing import NDArray

from pydeeplab.formats.blobproto import read_file
from pydeeplab.formats.sniff import damaged
from pydeeplab.formats.torch_pickle import item_size, read_values

__all__ = ["read_safetensors"]

_DTYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": "bfloat16",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors by key, in the order of the header; half precision as float32.

    Raises
    ------
    WeightsError
        The file is damaged, or a tensor has a type that is not read.
    """
    buffer = read_file(path)
    try:
        end = 8 + int.from_bytes(buffer[:8], "little")
        header = json.loads(bytes(buffer[8:end]))
        return {key: _tensor(buffer[end:], key, entry) for key, entry in header.items() if key != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"is a damaged .safetensors ({error})") from error


def _tensor(data: memoryview, key: str, entry: Any) -> NDArray[Any]:
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"tensor '{key}' has type {entry['dtype']}")
    dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
    begin, end = entry["data_offsets"]
    if not all(isinstance(n, int) and n >= 0 for n in (*shape, begin, end)):
        raise ValueError(f"tensor '{key}' has sizes that are no whole numbers")
    if not begin <= end <= len(data) or end - begin != math.prod(shape) * item_size(dtype):
        raise ValueError(f"the bytes {begin} to {end} do not hold tensor '{key}' of shape {shape}")
    return read_values(data[begin:end], dtype).reshape(shape).copy()
