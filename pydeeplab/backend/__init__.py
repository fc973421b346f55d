"""Backends: the same table of kernels, implemented for different hardware.

``reference`` is slow, plain NumPy and is the definition; ``cpu`` is native and threaded; ``cuda`` runs on a GPU, and
``cuda-emulation`` runs the same sources on the host. A layer asks for none of them: it calls
``self.kernels.<name>(...)`` with the arrays that its blobs hand out, and the net decides which backend that is.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend.arguments import checked
from pydeeplab.backend.room import check_room
from pydeeplab.backend.spec import kernels, stems
from pydeeplab.errors import UnsupportedError, UsageError, did_you_mean

__all__ = ["BACKENDS", "Backend", "KernelTable", "get_backend", "missing"]

BACKENDS = ("cpu", "reference", "cuda", "cuda-emulation")


class KernelTable:
    """All kernels of one backend as attributes; what the backend lacks raises `UnsupportedError` when called."""

    def __init__(self, functions: dict[str, Callable[..., None]]):
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Callable[..., None]:
        raise AttributeError(f"no kernel is called '{name}'.{did_you_mean(name, self.__dict__)}")


class Backend:
    """One implementation of the kernel table, with the memory that its kernels work on."""

    on_device = False
    """Whether that memory is not the host's."""

    def __init__(self, name: str, dtypes: tuple[type, ...]):
        self.name = name
        self.dtypes = tuple(np.dtype(t) for t in dtypes)
        self.missing: list[str] = []
        self.kernels = KernelTable(self._load())

    def zeros(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Flat zeroed memory where this backend's kernels can reach it."""
        check_room(count * dtype.itemsize)
        return np.zeros(count, dtype)

    def empty(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Flat uninitialised memory where this backend's kernels can reach it."""
        check_room(count * dtype.itemsize)
        return np.empty(count, dtype)

    def from_host(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array where this backend's kernels can reach it: itself, unless that is on a device."""
        return array

    def to_host(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of this backend as a NumPy array: itself, unless it is on a device."""
        return array

    def mark(self) -> Any:
        """The moment when all work asked for so far is done, for `seconds_between`."""
        return time.perf_counter()

    def seconds_between(self, first: Any, last: Any) -> float:
        """Seconds from one `mark` to another, by the clock of what computes."""
        return float(last - first)

    def memory_use(self) -> dict[str, int]:
        """What is known of memory that only this backend uses; nothing where that is the host's."""
        return {}

    def _load(self) -> dict[str, Callable[..., None]]:
        modules: dict[str, Any] = {}
        for stem in stems():
            path = f"pydeeplab.backend.{self.name}.{stem}"
            try:
                modules[stem] = importlib.import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
        functions = {}
        for name, (stem, row) in kernels().items():
            function = getattr(modules.get(stem), name, None)
            if function is None:
                self.missing.append(name)
                functions[name] = missing(name, self.name)
            else:
                functions[name] = checked(row, function, self.dtypes, together=self.name == "cpu")
        return functions

    def __repr__(self) -> str:
        return f"<Backend {self.name}>"


def missing(name: str, backend: str) -> Callable[..., None]:
    """What stands for a kernel that a backend lacks."""

    def stub(*_: object) -> None:
        raise UnsupportedError(
            f"[{name}] has no {backend} implementation. "
            f"Use another backend: {', '.join(b for b in BACKENDS if b != backend)}."
        )

    return stub


def get_backend(name: str | Backend) -> Backend:
    """Return a backend by name.

    Parameters
    ----------
    name : str or Backend
        cpu (float32), reference (float32 or float64), cuda (float32; the first GPU, or ``cuda:1`` for the second, ...)
        or cuda-emulation. A backend is returned as it is.

    Raises
    ------
    UsageError
        There is no backend of that name.
    DeviceError
        There is no GPU, or its library has not been built.
    """
    if isinstance(name, Backend):
        return name
    base, colon, device = name.partition(":")
    if base not in BACKENDS or (colon and not (base == "cuda" and device.isdecimal())):
        raise UsageError(f"unknown backend '{name}'; known are {', '.join(BACKENDS)}.{did_you_mean(name, BACKENDS)}")
    return _open(base, int(device or 0))


@cache
def _open(name: str, device: int) -> Backend:
    if name.startswith("cuda"):
        from pydeeplab.backend.cuda.backend import CudaBackend

        return CudaBackend(name, device)
    return Backend(name, (np.float32,) if name == "cpu" else (np.float32, np.float64))
