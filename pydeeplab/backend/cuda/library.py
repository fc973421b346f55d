"""The compiled kernels: finding and loading a library, and turning what its functions return into exceptions."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydeeplab.errors import DeviceError

__all__ = ["BAD_VALUE", "DeviceInfo", "Library", "Unavailable", "library_path", "load_library"]

_FOLDER = Path(__file__).resolve().parent
_BLAS_FAILED, _BAD_ARGUMENTS, BAD_VALUE = 100_000, 200_000, 200_001


class _Description(ctypes.Structure):
    _fields_: ClassVar[list[Any]] = [
        ("name", ctypes.c_char * 256),
        ("memory", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("major", "minor", "multiprocessors", "driver", "runtime")),
    ]


@dataclass(frozen=True)
class DeviceInfo:
    """One GPU: ``memory`` in bytes, ``capability`` as in sm_90, ``driver`` the newest CUDA version that it can run."""

    index: int
    name: str
    memory: int
    capability: tuple[int, int]
    multiprocessors: int
    driver: tuple[int, int]
    runtime: tuple[int, int]


@dataclass(frozen=True)
class Unavailable:
    """Why there is no GPU to compute on."""

    reason: str


def library_path(kind: str) -> Path:
    """Where the library of backend ``kind`` is: as ``PYDEEPLAB_CUDA`` or ``PYDEEPLAB_CUDA_EMULATION`` says, or here."""
    if named := os.environ.get(f"PYDEEPLAB_{kind.upper().replace('-', '_')}"):
        return Path(named)
    return _FOLDER / f"libpydeeplab_{kind.replace('-', '_')}.so"


class Library:
    """A loaded library, with its functions as attributes of `functions`."""

    def __init__(self, path: Path):
        self.path = path
        self.functions = ctypes.CDLL(str(path))
        self.functions.status_text.restype = ctypes.c_char_p
        for name, types in _RUNTIME.items():
            getattr(self.functions, name).argtypes = types

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the runtime; `DeviceError` if it fails."""
        self.check(getattr(self.functions, name)(*arguments), name)

    def check(self, status: int, what: str) -> None:
        """Turn a status into an exception that names what was asked for and the cause."""
        if status:
            raise DeviceError(f"{what} failed: {self.cause(status)}")

    def cause(self, status: int) -> str:
        """A status in words."""
        if status == _BAD_ARGUMENTS:
            return "its arguments do not fit each other"
        if status == BAD_VALUE:
            return "one of its arrays holds a value that is out of range"
        if status > _BLAS_FAILED:
            return f"cuBLAS error {status - _BLAS_FAILED}"
        return f"CUDA error {status}, {self.functions.status_text(status).decode()}"

    def devices(self) -> list[DeviceInfo]:
        """All GPUs."""
        count = ctypes.c_int()
        self.call("device_count", ctypes.byref(count))
        found = []
        for index in range(count.value):
            raw = _Description()
            self.call("device_describe", index, ctypes.byref(raw))
            driver, runtime = (divmod(v // 10, 100) for v in (raw.driver, raw.runtime))
            capability = (raw.major, raw.minor)
            name = raw.name.decode(errors="replace")
            found.append(DeviceInfo(index, name, raw.memory, capability, raw.multiprocessors, driver, runtime))
        return found

    def scratch_growths(self) -> int:
        """How often the kernels' scratch memory has grown, and thereby moved."""
        count = ctypes.c_int64()
        self.call("scratch_growths", ctypes.byref(count))
        return count.value

    def memory_info(self) -> tuple[int, int]:
        """Bytes free and in all on the device in use."""
        free, total = ctypes.c_int64(), ctypes.c_int64()
        self.call("memory_info", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value


_P, _N = ctypes.c_void_p, ctypes.c_int64
_RUNTIME: dict[str, list[Any]] = {
    "status_text": [ctypes.c_int],
    "device_count": [_P],
    "device_select": [ctypes.c_int],
    "device_describe": [ctypes.c_int, _P],
    "memory_allocate": [_P, _N],
    "memory_free": [_P],
    "memory_info": [_P, _P],
    "memory_clear": [_P, _N],
    "copy_to_device": [_P, _P, _N],
    "copy_to_host": [_P, _P, _N],
    "copy_on_device": [_P, _P, _N],
    "stream_get": [_P],
    "synchronize": [],
    "event_create": [_P],
    "event_destroy": [_P],
    "event_record": [_P],
    "event_elapsed": [_P, _P, _P],
    "scratch_growths": [_P],
    "graph_begin": [],
    "graph_end": [_P],
    "graph_launch": [_P],
    "graph_destroy": [_P],
    "blas_use": [_P, _P],
    "math_use": [ctypes.c_int],
}


@cache
def load_library(kind: str) -> Library | Unavailable:
    """Load the library of backend ``kind``; where that is impossible, say why instead of raising."""
    path = library_path(kind)
    target = "cuda" if kind == "cuda" else "emulation"
    if not path.is_file():
        return Unavailable(f"{path.name} has not been built; `python -m pydeeplab.backend.cuda.build {target}` does it")
    try:
        library = Library(path)
    except (OSError, AttributeError) as error:
        return Unavailable(f"{path.name} cannot be loaded ({error}); build it again")
    count = ctypes.c_int()
    status = library.functions.device_count(ctypes.byref(count))
    if status:
        return Unavailable(f"no GPU can be used: {library.cause(status)}")
    if not count.value:
        return Unavailable("the driver reports no GPU")
    return library
