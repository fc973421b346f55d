"""Blobs: the named arrays that layers exchange."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.errors import ShapeError, UsageError

__all__ = ["MAX_COUNT", "Blob", "BlobVec", "MemoryPool", "MirroredStorage", "Storage"]

MAX_COUNT = 2**31 - 1
"""The largest number of elements of a blob, as in Caffe (and in 32-bit BLAS)."""


class MemoryPool:
    """Memory that blobs with disjoint lifetimes hand on to each other, best fit first; contents are undefined."""

    def __init__(self, backend: Backend, dtype: np.dtype[Any]):
        self._backend = backend
        self._dtype = dtype
        self._free: list[NDArray[Any]] = []
        self.allocated = 0
        """Elements allocated since the last `clear`."""

    def take(self, count: int) -> NDArray[Any]:
        """The smallest free piece of at least ``count`` elements, or a new one."""
        fitting = [i for i, piece in enumerate(self._free) if piece.size >= count]
        if fitting:
            return self._free.pop(min(fitting, key=lambda i: self._free[i].size))
        self.allocated += count
        return self._backend.empty(count, self._dtype)

    def give(self, piece: NDArray[Any] | None) -> None:
        """Hand a piece back."""
        if piece is not None:
            self._free.append(piece)

    def pieces(self) -> list[NDArray[Any]]:
        """The free pieces."""
        return list(self._free)

    @property
    def nbytes(self) -> int:
        """Bytes allocated since the last `clear`."""
        return self.allocated * self._dtype.itemsize

    def clear(self) -> None:
        """Forget all free pieces, as when all shapes change."""
        self._free.clear()
        self.allocated = 0


class Storage:
    """Flat memory that grows on demand and may be shared by several blobs.

    ``version`` counts the times that somebody asked to write, so that what was computed from the contents can be
    known to be stale. With a ``pool`` the memory comes from there, and `release` returns it.
    """

    __slots__ = ("_memory", "backend", "dtype", "pool", "version")

    def __init__(self, backend: Backend, dtype: np.dtype[Any]):
        self.backend = backend
        self.dtype = dtype
        self.version = 0
        self.pool: MemoryPool | None = None
        self._memory: NDArray[Any] | None = None

    @property
    def capacity(self) -> int:
        """Elements allocated; 0 before the first use."""
        return 0 if self._memory is None else self._memory.size

    def memory(self, count: int) -> NDArray[Any]:
        """At least ``count`` elements; new memory is zeroed, unless it comes from a pool.

        Growing keeps earlier views alive but detached.
        """
        if self._memory is None or self._memory.size < count:
            self.release()
            self._memory = self.pool.take(count) if self.pool else self.backend.zeros(count, self.dtype)
        return self._memory

    def release(self) -> None:
        """Give the memory up: back to the pool if there is one."""
        if self.pool:
            self.pool.give(self._memory)
        self.forget()

    def take_over(self, other: Storage) -> None:
        """Use the memory of another storage, which must `forget` it when its contents have been read."""
        self.release()
        self._memory = other._memory

    def forget(self) -> None:
        """Have no memory any more, and leave it to whoever took it over."""
        self._memory = None

    def read(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements where kernels can read them."""
        return self.memory(count)[:count]

    def write(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements where kernels can write them; their contents may be lost."""
        self.version += 1
        return self.memory(count)[:count]

    def modify(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements where kernels can change them."""
        self.version += 1
        return self.memory(count)[:count]

    def on_host(self, count: int, *, writable: bool) -> NDArray[Any]:
        """The first ``count`` elements as a NumPy array."""
        self.version += writable
        return self.memory(count)[:count]


class MirroredStorage(Storage):
    """Memory of a device, and a copy on the host that is made when somebody looks; the newer one is known.

    A view on the host that was asked for writing counts as newer from then on, until a kernel reads or writes.
    """

    __slots__ = ("_host", "_newer", "_newer_on_host")

    def __init__(self, backend: Backend, dtype: np.dtype[Any]):
        super().__init__(backend, dtype)
        self._host: NDArray[Any] | None = None
        self._newer = ""
        self._newer_on_host = 0

    @property
    def capacity(self) -> int:
        """Elements allocated on either side; 0 before the first use."""
        return max(super().capacity, 0 if self._host is None else self._host.size)

    def forget(self) -> None:
        """Have no memory any more on either side."""
        super().forget()
        self._host, self._newer = None, ""

    def _device(self, count: int, *, overwritten: int = 0) -> NDArray[Any]:
        if self.capacity < count:
            self.release()
        if self._memory is None and self._host is not None:
            count = self._newer_on_host = self._host.size
            self._newer = "host"
            self._memory = self.pool.take(count) if self.pool else self.backend.empty(count, self.dtype)
        memory = self.memory(count)
        if self._newer == "host" and self._host is not None:
            if overwritten < self._newer_on_host:
                kept = slice(overwritten, self._newer_on_host)
                memory[kept] = self._host[kept]
            self._newer = ""
        return memory

    def read(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements on the device."""
        return self._device(count)[:count]

    def write(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements on the device; only what lies behind them is brought there from the host."""
        self.version += 1
        memory, self._newer = self._device(count, overwritten=count), "device"
        return memory[:count]

    def modify(self, count: int) -> NDArray[Any]:
        """The first ``count`` elements on the device, to be read and changed."""
        self.version += 1
        memory, self._newer = self._device(count), "device"
        return memory[:count]

    def on_host(self, count: int, *, writable: bool) -> NDArray[Any]:
        """The first ``count`` elements on the host, brought there if the device's are newer."""
        self.version += writable
        if self.capacity < count:
            self.release()
        host = self._host
        if host is None or host.size < count:
            if self._newer == "host":
                self._device(count)
            host = np.zeros(max(self.capacity, count), self.dtype)
            if self._memory is not None:
                self._memory.host(host[: self._memory.size])  # type: ignore[attr-defined]
            self._host = host
            self._newer = ""
        elif self._newer == "device" and self._memory is not None:
            self._memory.host(host)  # type: ignore[attr-defined]
            self._newer = ""
        if writable:
            self._newer_on_host = max(count, self._newer_on_host if self._newer == "host" else 0)
            self._newer = "host"
        return host[:count]


class Blob:
    """An N-dimensional array with its gradient, allocated when first used.

    ``data`` and ``diff`` are live, writable NumPy views of shape `shape`. Layers use the verbs `read`, `write` (about
    to be overwritten), `modify` (read and written) and their ``_diff`` twins, which give the array where the backend's
    kernels want it.
    """

    def __init__(self, shape: Sequence[int] = (), *, backend: Backend | None = None, dtype: Any = np.float32):
        self._backend = backend or get_backend("cpu")
        self._dtype = np.dtype(dtype)
        storage = MirroredStorage if self._backend.on_device else Storage
        self._data = storage(self._backend, self._dtype)
        self._diff = storage(self._backend, self._dtype)
        self._shape: tuple[int, ...] = ()
        self._count = 1
        self.reshape(*shape)

    # Shape -----------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The dimensions, outermost first; () for a scalar."""
        return self._shape

    @property
    def count(self) -> int:
        """The number of elements."""
        return self._count

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating type of data and diff."""
        return self._dtype

    def reshape(self, *dims: int, **unknown: Any) -> None:
        """Change the shape; contents survive as long as the number of elements does not grow beyond the capacity."""
        if unknown:
            raise UsageError(f"reshape takes the dimensions one by one, as in reshape(1, 3, 9, 9); got {unknown}")
        shape = tuple(int(d) for d in dims)
        if any(d < 0 for d in shape):
            raise ShapeError(f"a blob's dimensions must not be negative, got {shape}")
        count = math.prod(shape)
        if count > MAX_COUNT:
            raise ShapeError(f"a blob of shape {shape} has {count} elements; at most {MAX_COUNT} are possible")
        self._shape, self._count = shape, count

    def reshape_like(self, other: Blob) -> None:
        """Take the shape of ``other``."""
        self._shape, self._count = other._shape, other._count

    def _legacy(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise UsageError(
                f"num, channels, height and width exist only up to 4 axes; this blob has {len(self._shape)}"
            )
        return self._shape[axis] if axis < len(self._shape) else 1

    @property
    def num(self) -> int:
        """Size of axis 0 (1 where absent), as in pycaffe."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """Size of axis 1 (1 where absent)."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """Size of axis 2 (1 where absent)."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """Size of axis 3 (1 where absent)."""
        return self._legacy(3)

    def axis(self, index: int) -> int:
        """Turn a possibly negative axis into one of 0..ndim-1."""
        ndim = len(self._shape)
        if not -ndim <= index < ndim:
            raise ShapeError(f"axis {index} is out of range for a blob of shape {self._shape}")
        return index % ndim

    # Contents --------------------------------------------------------------------------------------------------

    def read(self) -> NDArray[Any]:
        """The data, for reading by a kernel."""
        return self._data.read(self._count).reshape(self._shape)

    def write(self) -> NDArray[Any]:
        """The data, about to be overwritten by a kernel."""
        return self._data.write(self._count).reshape(self._shape)

    def modify(self) -> NDArray[Any]:
        """The data, to be read and changed by a kernel."""
        return self._data.modify(self._count).reshape(self._shape)

    def read_diff(self) -> NDArray[Any]:
        """The gradient, for reading by a kernel."""
        return self._diff.read(self._count).reshape(self._shape)

    def write_diff(self) -> NDArray[Any]:
        """The gradient, about to be overwritten by a kernel."""
        return self._diff.write(self._count).reshape(self._shape)

    def modify_diff(self) -> NDArray[Any]:
        """The gradient, to be added to by a kernel."""
        return self._diff.modify(self._count).reshape(self._shape)

    @property
    def data(self) -> NDArray[Any]:
        """A live, writable view on the host. On a device it is a copy: ask again after a kernel has run."""
        return self._data.on_host(self._count, writable=True).reshape(self._shape)

    @property
    def diff(self) -> NDArray[Any]:
        """A live, writable view of the gradient on the host, like `data`."""
        return self._diff.on_host(self._count, writable=True).reshape(self._shape)

    def look(self) -> NDArray[Any]:
        """The data on the host, only to be looked at."""
        return self._data.on_host(self._count, writable=False).reshape(self._shape)

    def look_diff(self) -> NDArray[Any]:
        """The gradient on the host, only to be looked at."""
        return self._diff.on_host(self._count, writable=False).reshape(self._shape)

    # Sharing ---------------------------------------------------------------------------------------------------

    def share_data(self, other: Blob) -> None:
        """Use the other blob's data memory from now on; the number of elements, dtype and device must agree."""
        self._must_fit(other)
        self._data = other._data

    def share_diff(self, other: Blob) -> None:
        """Use the other blob's gradient memory from now on; the number of elements, dtype and device must agree."""
        self._must_fit(other)
        self._diff = other._diff

    def _must_fit(self, other: Blob) -> None:
        if self._count != other._count:
            raise ShapeError(f"cannot share memory between blobs of shape {self._shape} and {other._shape}")
        if self._dtype != other._dtype:
            raise UsageError(
                f"cannot share memory between blobs of {self._dtype} and {other._dtype}. Make both nets with the same "
                "dtype, or copy: blob.data[...] = other.data"
            )
        mine, theirs = self._backend, other._backend
        if mine is not theirs and (mine.on_device or theirs.on_device):
            raise UsageError(
                f"cannot share memory between a blob of backend {mine.name} and one of backend {theirs.name}: they lie "
                "in different memories. Make both nets with the same backend (Net(..., backend=...), or set_mode_gpu() "
                "or set_mode_cpu() before both), or copy: blob.data[...] = other.data"
            )

    @property
    def data_storage(self) -> Storage:
        """The memory behind `data`; the same object for blobs that share it."""
        return self._data

    @property
    def diff_storage(self) -> Storage:
        """The memory behind `diff`; the same object for blobs that share it."""
        return self._diff

    def __repr__(self) -> str:
        return f"<Blob {' x '.join(map(str, self._shape)) or 'scalar'} {self._dtype}>"


class BlobVec(list[Blob]):
    """A layer's parameter blobs: a list that can also make its blobs, as Python layers expect."""

    def __init__(self, backend: Backend | None = None, dtype: Any = np.float32):
        super().__init__()
        self._backend = backend
        self._dtype = dtype

    def add_blob(self, *dims: int, **unknown: Any) -> Blob:
        """Append a zeroed blob of this shape and return it."""
        blob = Blob(backend=self._backend, dtype=self._dtype)
        blob.reshape(*dims, **unknown)
        self.append(blob)
        return blob
