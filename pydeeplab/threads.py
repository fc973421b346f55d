"""How many threads the kernels and the BLAS behind them use."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import scipy

from pydeeplab.backend.cpu import threads as native
from pydeeplab.errors import UsageError

__all__ = ["get_num_threads", "set_num_threads"]


@cache
def _blas_setter() -> Callable[[int], object] | None:
    """OpenBLAS's own switch in the library that SciPy brings along; None where SciPy uses another BLAS."""
    folders = (Path(scipy.__file__).parent.parent / "scipy.libs", Path(scipy.__file__).parent / ".libs")
    for library in (f for folder in folders for f in folder.glob("*openblas*")):
        handle = ctypes.CDLL(str(library))
        for name in ("scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(handle, name):
                setter: Callable[[int], object] = getattr(handle, name)
                return setter
    return None


def get_num_threads() -> int:
    """The number of threads in use."""
    count: int = native.get_openmp_threads()
    return count


def set_num_threads(count: int) -> None:
    """Use ``count`` threads (1 or more) in kernels and in SciPy's BLAS from now on."""
    if count < 1:
        raise UsageError(f"the number of threads must be at least 1, got {count}")
    native.set_openmp_threads(count)
    if setter := _blas_setter():
        setter(count)
