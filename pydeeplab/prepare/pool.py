"""Many small jobs on files, in processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pydeeplab.errors import DataError

__all__ = ["map_files"]

_CHUNK = 8
_MANY = 64
"""Jobs from which on processes are worth their start."""

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def map_files(
    function: Callable[[Job], Answer], jobs: Sequence[Job], workers: int, watch: Callable[[int], None], what: str
) -> list[Answer]:
    """The function's answer to each job, in their order, from ``workers`` processes (threads for a few jobs).

    ``function`` reads and writes files and starts no threads: the processes are forked. ``watch`` hears how many jobs
    are done, and ``what`` says in the error what a process does: "checks files".

    Raises
    ------
    DataError
        A process was killed from outside.
    """
    answers: list[Answer] = []
    pool = _pool(min(workers, len(jobs)), len(jobs))
    try:
        for answer in pool.map(function, jobs, chunksize=_CHUNK):
            answers.append(answer)
            watch(len(answers))
    except BrokenProcessPool:
        raise DataError(
            f"a process that {what} was killed, after {len(answers)} of {len(jobs)} files; there may be too little "
            "memory for this many: use fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
    return answers


def _pool(workers: int, jobs: int) -> Executor:
    """Forked processes, which need no importable main module."""
    if workers > 1 and jobs >= _MANY and "fork" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_the_parent)
    return ThreadPoolExecutor(max(1, workers), thread_name_prefix="pydeeplab-files")


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
