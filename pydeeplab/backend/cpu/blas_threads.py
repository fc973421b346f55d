"""Finding the switch for the number of threads of the BLAS behind SciPy."""

from __future__ import annotations

import ctypes
from functools import cache

from scipy.linalg import cython_blas

__all__ = ["thread_controls"]

_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("", "64_")


@cache
def thread_controls() -> tuple[int, int]:
    """Addresses of OpenBLAS's functions that get and set its number of threads; (0, 0) with another BLAS.

    They are looked up through SciPy's own module, so that of several OpenBLAS in a process the right one is found. The
    kernels run BLAS calls on OpenMP's threads and hold OpenBLAS at one thread meanwhile; with a BLAS that has no such
    switch they work, but may use more threads than there are cores.
    """
    library = ctypes.CDLL(cython_blas.__file__)
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            try:
                get = getattr(library, f"{prefix}_get_num_threads{suffix}")
                put = getattr(library, f"{prefix}_set_num_threads{suffix}")
            except AttributeError:
                continue
            return tuple(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (get, put))  # type: ignore[return-value]
    return 0, 0
