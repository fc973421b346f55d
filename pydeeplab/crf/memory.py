"""Buffers that survive from image to image, so that refining a second one allocates nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend

__all__ = ["Memory"]

_ALIGNMENT = 64


class Memory:
    """Named arrays of a backend, each as large as the largest request so far; on the host aligned to cache lines.

    ``scope`` prefixes the names of what it hands out, so that two lattices can share one memory.
    """

    def __init__(self, backend: Backend | None = None, *, parent: Memory | None = None, scope: str = ""):
        self._backend = backend or get_backend("cpu")
        self._blocks: dict[str, NDArray[np.uint8]] = {} if parent is None else parent._blocks
        self._scope = scope

    def scope(self, name: str) -> Memory:
        """The same memory under another prefix."""
        return Memory(self._backend, parent=self, scope=f"{self._scope}{name}/")

    def get(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array with undefined contents; earlier ones of this name may be overwritten."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        key = self._scope + name
        block = self._blocks.get(key)
        if block is None or block.size < size:
            self._blocks.pop(key, None)
            self._blocks[key] = block = self._allocate(size)
        return block[:size].view(dtype).reshape(shape)

    def _allocate(self, size: int) -> NDArray[np.uint8]:
        if self._backend.on_device:
            return self._backend.empty(size, np.dtype(np.uint8))
        raw = np.empty(size + _ALIGNMENT, np.uint8)
        offset = -raw.ctypes.data % _ALIGNMENT
        return raw[offset : offset + size]

    @property
    def nbytes(self) -> int:
        """Bytes held, by all scopes together."""
        return sum(block.nbytes for block in self._blocks.values())
