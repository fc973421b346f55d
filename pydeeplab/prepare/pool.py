"""Many small jobs on files, in processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from pydeeplab.errors import DataError, PydeeplabError
from pydeeplab.workers import ending, process_pool

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

    def died() -> PydeeplabError:
        return DataError(
            f"a process that {what} was killed, after {len(answers)} of {len(jobs)} files; there may be too little "
            "memory for this many: use fewer workers"
        )

    with _pool(min(workers, len(jobs)), len(jobs), died) as pool:
        for answer in pool.map(function, jobs, chunksize=_CHUNK):
            answers.append(answer)
            watch(len(answers))
    return answers


def _pool(workers: int, jobs: int, died: Callable[[], PydeeplabError]) -> AbstractContextManager[Executor]:
    """Processes, where there is enough to do for them."""
    if workers > 1 and jobs >= _MANY and "fork" in multiprocessing.get_all_start_methods():
        return process_pool(workers, died, start="fork")
    return ending(ThreadPoolExecutor(max(1, workers), thread_name_prefix="pydeeplab-files"))
