"""How many threads the kernels use. They run BLAS inside their own threads, so this covers BLAS too."""

from __future__ import annotations

import os

import pydeeplab.backend.cpu.threads as native
from pydeeplab.errors import UsageError

__all__ = ["get_num_threads", "set_num_threads", "threads_each", "usable_cores"]


def get_num_threads() -> int:
    """The number of threads in use."""
    count: int = native.get_openmp_threads()
    return count


def set_num_threads(count: int) -> None:
    """Use ``count`` threads (1 or more) from now on."""
    if count < 1:
        raise UsageError(f"the number of threads must be at least 1, got {count}")
    native.set_openmp_threads(count)


def threads_each(processes: int) -> int:
    """The threads of each process where so many share those of this one: 1 or more."""
    return max(1, get_num_threads() // processes)


def usable_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
