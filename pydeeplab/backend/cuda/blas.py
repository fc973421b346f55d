"""cuBLAS through ctypes; in the emulation SciPy's BLAS takes its place."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from typing import Any

from pydeeplab.backend.cuda.library import Library
from pydeeplab.backend.cuda.packages import shared_libraries
from pydeeplab.errors import DeviceError, UsageError, did_you_mean

__all__ = ["MATH_MODES", "Blas", "connect_blas"]

MATH_MODES = {"strict": 2, "tf32": 3}
"""How matrix products round: in single precision throughout, or with factors cut to 10 bits on tensor cores."""


class Blas:
    """What computes matrix products: cuBLAS, SciPy's BLAS (``emulation``) or, with neither, our own kernel."""

    def __init__(self, name: str, library: Library, cublas: Any = None, handle: Any = None):
        self.name = name
        self.math = "strict"
        self._library, self._cublas, self._handle = library, cublas, handle

    def set_math(self, mode: str) -> None:
        """Choose "strict" or "tf32" for cuBLAS and for convolutions without columns."""
        if mode not in MATH_MODES:
            raise UsageError(
                f"unknown math mode '{mode}'; known are {', '.join(MATH_MODES)}.{did_you_mean(mode, MATH_MODES)}"
            )
        if self._cublas:
            _check(self._cublas.cublasSetMathMode(self._handle, MATH_MODES[mode]), "cublasSetMathMode")
        self._library.call("math_use", mode == "tf32")
        self.math = mode


def _check(status: int, what: str) -> None:
    if status:
        raise DeviceError(f"{what} failed: cuBLAS error {status}")


def connect_blas(library: Library, kind: str) -> Blas:
    """Give the library something to multiply matrices with."""
    if kind != "cuda":
        return _connect_scipy(library)
    for name in shared_libraries("cublas", (13, 12)):
        with contextlib.suppress(OSError):
            return _connect_cublas(library, ctypes.CDLL(name), name)
    return Blas("own kernel", library)


def _connect_cublas(library: Library, cublas: Any, name: str) -> Blas:
    handle, stream = ctypes.c_void_p(), ctypes.c_void_p()
    _check(cublas.cublasCreate_v2(ctypes.byref(handle)), "cublasCreate")
    library.call("stream_get", ctypes.byref(stream))
    _check(cublas.cublasSetStream_v2(handle, stream), "cublasSetStream")
    library.call("blas_use", handle, ctypes.cast(cublas.cublasSgemmStridedBatched, ctypes.c_void_p))
    blas = Blas(f"cuBLAS ({name})", library, cublas, handle)
    blas.set_math("strict")
    return blas


def _connect_scipy(library: Library) -> Blas:
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__["sgemm"]
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    sgemm = pointer_of(capsule, name_of(capsule))
    library.call("blas_use", sgemm, ctypes.cast(library.functions.host_sgemm, ctypes.c_void_p))
    return Blas("SciPy's BLAS", library)
