"""Buffers that survive from image to image, so that refining a second one allocates nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Memory"]

_ALIGNMENT = 64


class Memory:
    """Named arrays, each as large as the largest request so far and aligned to cache lines.

    ``scope`` prefixes the names of what it hands out, so that two lattices can share one memory.
    """

    def __init__(self, parent: Memory | None = None, scope: str = ""):
        self._blocks: dict[str, NDArray[np.uint8]] = {} if parent is None else parent._blocks
        self._scope = scope

    def scope(self, name: str) -> Memory:
        """The same memory under another prefix."""
        return Memory(self, f"{self._scope}{name}/")

    def get(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array with undefined contents; earlier ones of this name may be overwritten."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        key = self._scope + name
        block = self._blocks.get(key)
        if block is None or block.size < size:
            raw = np.empty(size + _ALIGNMENT, np.uint8)
            offset = -raw.ctypes.data % _ALIGNMENT
            self._blocks[key] = block = raw[offset : offset + size]
        return block[:size].view(dtype).reshape(shape)

    @property
    def nbytes(self) -> int:
        """Bytes held, by all scopes together."""
        return sum(block.nbytes for block in self._blocks.values())
