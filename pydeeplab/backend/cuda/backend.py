"""The backend object: kernels called through ctypes on arrays of the device."""

from __future__ import annotations

import atexit
import ctypes
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, missing
from pydeeplab.backend.arguments import checked
from pydeeplab.backend.cuda.blas import connect_blas
from pydeeplab.backend.cuda.event import Event
from pydeeplab.backend.cuda.library import BAD_VALUE, Library, Unavailable, load_library
from pydeeplab.backend.cuda.memory import Allocator, DeviceArray
from pydeeplab.backend.cuda.signatures import argument_types
from pydeeplab.backend.spec import Array, Kernel, kernels
from pydeeplab.errors import DataError, DeviceError

__all__ = ["CudaBackend"]


_UNREAD = ("out", "scratch")
"""Arguments whose contents no kernel reads."""


class CudaBackend(Backend):
    """Kernels of a library built from kernels/cuda.

    Kernels take `DeviceArray`; NumPy arrays that a kernel reads are copied to the device, and what it writes is copied
    back, which counts as traffic.

    Parameters
    ----------
    name : {"cuda", "cuda-emulation"}
    device : int
        The GPU's number.

    Raises
    ------
    DeviceError
        There is no library or no GPU; the message says why.
    """

    on_device = True

    def __init__(self, name: str, device: int = 0):
        library = load_library(name)
        if isinstance(library, Unavailable):
            raise DeviceError(f"backend {name} cannot be used: {library.reason}")
        self.library: Library = library
        library.check(library.functions.device_select(device), f"choosing GPU {device}")
        self.allocator = Allocator(library, keep=name == "cuda")
        self.blas = connect_blas(library, name)
        self.blas.set_math(os.environ.get("PYDEEPLAB_MATH") or "strict")
        super().__init__(name, (np.float32,))
        if name == "cuda":
            atexit.register(self.allocator.release)

    def zeros(self, count: int, dtype: np.dtype[Any]) -> Any:
        """Flat zeroed memory on the device."""
        array = DeviceArray(self.allocator, (count,), dtype)
        array[...] = 0
        return array

    def empty(self, count: int, dtype: np.dtype[Any]) -> Any:
        """Flat uninitialised memory on the device."""
        return DeviceArray(self.allocator, (count,), dtype)

    def from_host(self, array: Any) -> Any:
        """The array on the device: a copy, unless it is there already."""
        return array if isinstance(array, DeviceArray) else DeviceArray.upload(self.allocator, array)

    def to_host(self, array: Any) -> NDArray[Any]:
        """A copy on the host of what is on the device."""
        return array.host() if isinstance(array, DeviceArray) else array

    def mark(self) -> Event:
        """An event, recorded behind all work asked for so far."""
        return Event(self.library)

    def seconds_between(self, first: Event, last: Event) -> float:
        """Seconds on the device from one event to another; waits for the second."""
        return first.seconds_until(last)

    def memory_use(self) -> dict[str, int]:
        """Bytes of device memory and copies: see `Allocator.statistics`."""
        return self.allocator.statistics()

    def synchronize(self) -> None:
        """Wait until the device has done all that it was asked to do."""
        self.library.call("synchronize")

    def _load(self) -> dict[str, Callable[..., None]]:
        functions = {}
        for name, (_, row) in kernels().items():
            function = getattr(self.library.functions, name, None)
            if function is None:
                self.missing.append(name)
                functions[name] = missing(name, self.name)
            else:
                functions[name] = checked(row, self._bound(row, function), self.dtypes)
        return functions

    def _bound(self, row: Kernel, function: Any) -> Callable[..., None]:
        """A Python function that calls ``function`` with the arrays' pointers, the scalars and the sizes."""
        function.argtypes, function.restype = argument_types(row), ctypes.c_int
        arrays = [(i, a) for i, a in enumerate(row.arguments) if isinstance(a, Array)]
        arrays.sort(key=lambda entry: entry[1].access in _UNREAD)  # what is read decides whether a copy is made
        holders = {symbol: [(i, a.dims.index(symbol)) for i, a in arrays if symbol in a.dims] for symbol in row.sizes}

        def call(*values: Any) -> None:
            staged = _Staging(self.allocator)
            given = list(values)
            for i, argument in arrays:
                given[i] = staged.pointer(values[i], argument)
            sizes = [
                next((values[i].shape[axis] for i, axis in holders[symbol] if values[i] is not None), 0)
                for symbol in row.sizes
            ]
            status = function(*given, *sizes)
            if status:
                error = DataError if status == BAD_VALUE else DeviceError
                raise error(f"kernel {row.name} ({_described(row, values)}) failed: {self.library.cause(status)}")
            staged.fetch()

        return call


class _Staging:
    """Device copies of the NumPy arrays among a kernel's arguments; one array handed in twice stays one."""

    __slots__ = ("_allocator", "_copies", "_written")

    def __init__(self, allocator: Allocator):
        self._allocator = allocator
        self._copies: dict[int, DeviceArray] = {}
        self._written: list[tuple[NDArray[Any], DeviceArray]] = []

    def pointer(self, value: Any, argument: Array) -> int | None:
        if value is None:
            return None
        if isinstance(value, DeviceArray):
            return value.pointer
        if argument.host:
            return int(value.ctypes.data)
        address = value.ctypes.data
        copy = self._copies.get(address) if value.size else None
        if copy is None:
            if argument.access in _UNREAD:
                copy = DeviceArray(self._allocator, value.shape, value.dtype)
            else:
                copy = DeviceArray.upload(self._allocator, value)
            self._copies[address] = copy
        if argument.access in ("out", "inout"):
            self._written.append((value, copy))
        return copy.pointer

    def fetch(self) -> None:
        for value, copy in self._written:
            copy.host(value)


def _described(row: Kernel, values: tuple[Any, ...]) -> str:
    parts = []
    for argument, value in zip(row.arguments, values, strict=True):
        if isinstance(argument, Array):
            shape = "none" if value is None else "x".join(map(str, value.shape))
            parts.append(f"{argument.name} {shape}")
        else:
            parts.append(f"{argument.name}={value}")
    return ", ".join(parts)
