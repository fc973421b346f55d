"""Device memory: an allocator that keeps what is given back, and arrays on the device."""

from __future__ import annotations

import ctypes
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.backend.cuda.library import Library
from pydeeplab.errors import DeviceMemoryError

__all__ = ["Allocator", "DeviceArray", "Traffic"]

_SMALL, _LARGE = 512, 1 << 21


class Traffic:
    """Copies between host and device so far, in number and bytes."""

    def __init__(self) -> None:
        self.uploads = self.downloads = self.uploaded_bytes = self.downloaded_bytes = 0

    @property
    def copies(self) -> int:
        """Copies in either direction."""
        return self.uploads + self.downloads


class _Block:
    """A piece of device memory that goes back to its allocator when nothing uses it any more."""

    __slots__ = ("allocator", "nbytes", "pointer")

    def __init__(self, allocator: Allocator, pointer: int, nbytes: int):
        self.allocator, self.pointer, self.nbytes = allocator, pointer, nbytes

    def __del__(self) -> None:
        self.allocator.give(self.pointer, self.nbytes)


class Allocator:
    """Hands out device memory; what comes back is kept for the next request of its size.

    Parameters
    ----------
    library
        The loaded library.
    keep : bool
        Round sizes up and reuse memory. Without it every request is allocated exactly and freed at once, so that
        tools that watch addresses see every step outside.
    """

    def __init__(self, library: Library, *, keep: bool = True):
        self.library = library
        self.traffic = Traffic()
        self._keep = keep
        self._free: dict[int, list[int]] = defaultdict(list)
        self.in_use = 0
        """Bytes handed out."""
        self.kept = 0
        """Bytes given back and not freed."""
        self.peak = 0
        """The most bytes that were ever handed out at once."""
        self.requests = 0
        """How often memory was asked for."""

    def _rounded(self, nbytes: int) -> int:
        if not self._keep:
            return nbytes
        grain = _SMALL if nbytes < _LARGE else max(_LARGE, 1 << (nbytes.bit_length() - 4))
        return -(-nbytes // grain) * grain

    def take(self, nbytes: int) -> _Block | None:
        """Memory of at least ``nbytes`` with undefined contents; None for none."""
        if not nbytes:
            return None
        self.requests += 1
        size = self._rounded(nbytes)
        if self._free[size]:
            pointer = self._free[size].pop()
            self.kept -= size
        else:
            pointer = self._allocate(size)
        self.in_use += size
        self.peak = max(self.peak, self.in_use)
        return _Block(self, pointer, size)

    def _allocate(self, size: int) -> int:
        pointer = ctypes.c_void_p()
        for attempt in range(2):
            status = self.library.functions.memory_allocate(ctypes.byref(pointer), size)
            if not status:
                return int(pointer.value or 0)
            if not attempt:
                self.release()
        free, total = self.library.memory_info()
        raise DeviceMemoryError(
            f"{size / 2**20:.0f} MiB of device memory were asked for ({self.library.cause(status)}); "
            f"{self.in_use / 2**30:.1f} GiB are in use here, {free / 2**30:.1f} of {total / 2**30:.1f} GiB are free"
        )

    def statistics(self) -> dict[str, int]:
        """Bytes in use, at most in use so far, and kept for reuse; copies to and from the device, and their bytes."""
        traffic = self.traffic
        return {
            "in_use_bytes": self.in_use,
            "peak_bytes": self.peak,
            "kept_bytes": self.kept,
            "uploads": traffic.uploads,
            "uploaded_bytes": traffic.uploaded_bytes,
            "downloads": traffic.downloads,
            "downloaded_bytes": traffic.downloaded_bytes,
        }

    def give(self, pointer: int, nbytes: int) -> None:
        """Take memory back."""
        self.in_use -= nbytes
        if self._keep:
            self._free[nbytes].append(pointer)
            self.kept += nbytes
        else:
            self.library.functions.memory_free(pointer)

    def release(self) -> None:
        """Free everything that is kept for reuse."""
        for pointers in self._free.values():
            for pointer in pointers:
                self.library.functions.memory_free(pointer)
        self._free.clear()
        self.kept = 0

    @contextmanager
    def no_copies(self) -> Iterator[None]:
        """Within it, a copy between host and device is an error: for tests."""
        before = self.traffic.copies
        yield
        if self.traffic.copies != before:
            raise AssertionError(f"{self.traffic.copies - before} copies between host and device")


class _Flags:
    c_contiguous = True


class DeviceArray:
    """A C-contiguous array on the device: what kernels take in place of a NumPy array.

    It knows its shape and type, can be seen in another shape or cut along its first axis, and is read with `host` and
    written with ``array[...] = values``.
    """

    __slots__ = ("_allocator", "_block", "dtype", "pointer", "shape")
    flags = _Flags()

    def __init__(self, allocator: Allocator, shape: tuple[int, ...], dtype: np.dtype[Any], *, block: Any = None):
        self._allocator = allocator
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._block = allocator.take(self.nbytes) if block is None else block
        self.pointer: int = self._block.pointer if self._block else 0

    @classmethod
    def upload(cls, allocator: Allocator, values: ArrayLike) -> DeviceArray:
        """A copy of a host array."""
        source = np.asarray(values)
        array = cls(allocator, source.shape, source.dtype)
        array[...] = source
        return array

    def _view(self, pointer: int, shape: tuple[int, ...]) -> DeviceArray:
        view = DeviceArray.__new__(DeviceArray)
        view._allocator, view._block, view.dtype, view.pointer, view.shape = (
            self._allocator,
            self._block,
            self.dtype,
            pointer,
            shape,
        )
        return view

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def reshape(self, *shape: Any) -> DeviceArray:
        """The same memory in another shape; one size may be -1."""
        sizes = list(shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape)
        if -1 in sizes:
            known = math.prod(s for s in sizes if s != -1)
            sizes[sizes.index(-1)] = self.size // known if known else 0
        if math.prod(sizes) != self.size:
            raise ValueError(f"cannot see an array of shape {self.shape} as {tuple(sizes)}")
        return self._view(self.pointer, tuple(int(s) for s in sizes))

    def view(self, dtype: Any) -> DeviceArray:
        """The bytes of a flat array as elements of another type."""
        wanted = np.dtype(dtype)
        if self.ndim != 1 or self.nbytes % wanted.itemsize:
            raise ValueError(f"cannot see an array of shape {self.shape} {self.dtype} as {wanted}")
        seen = self._view(self.pointer, (self.nbytes // wanted.itemsize,))
        seen.dtype = wanted
        return seen

    def __getitem__(self, key: Any) -> DeviceArray:
        """One item of the first axis (or of the first few), or a run of them."""
        if isinstance(key, tuple):
            array = self
            for index in key:
                array = array[index]
            return array
        step = math.prod(self.shape[1:]) * self.dtype.itemsize
        if isinstance(key, slice):
            first, last, stride = key.indices(self.shape[0])
            if stride != 1:
                raise IndexError("an array on the device can be cut into runs only")
            return self._view(self.pointer + first * step, (max(last - first, 0), *self.shape[1:]))
        index = range(self.shape[0])[key]
        return self._view(self.pointer + index * step, self.shape[1:])

    def __setitem__(self, key: Any, values: ArrayLike) -> None:
        target = self if key is Ellipsis else self[key]
        if not target.size:
            return
        if isinstance(values, DeviceArray):
            if (values.shape, values.dtype) != (target.shape, target.dtype):
                raise ValueError(f"cannot copy {values.shape} {values.dtype} to {target.shape} {target.dtype}")
            self._allocator.library.call("copy_on_device", target.pointer, values.pointer, target.nbytes)
            return
        if np.isscalar(values) and values == 0:
            self._allocator.library.call("memory_clear", target.pointer, target.nbytes)
            return
        source = np.ascontiguousarray(np.broadcast_to(np.asarray(values, self.dtype), target.shape))
        self._allocator.library.call("copy_to_device", target.pointer, source.ctypes.data, source.nbytes)
        traffic = self._allocator.traffic
        traffic.uploads += 1
        traffic.uploaded_bytes += source.nbytes

    def host(self, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """A copy on the host, in ``out`` if given; waits for the device."""
        result = np.empty(self.shape, self.dtype) if out is None else out
        if self.size:
            self._allocator.library.call("copy_to_host", result.ctypes.data, self.pointer, self.nbytes)
            traffic = self._allocator.traffic
            traffic.downloads += 1
            traffic.downloaded_bytes += self.nbytes
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.host().astype(dtype or self.dtype, copy=False)

    def astype(self, dtype: Any) -> NDArray[Any]:
        """A copy on the host in another type."""
        return self.host().astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<DeviceArray {self.shape} {self.dtype}>"
