"""Pools of processes and threads that end well: when one dies, when their user fails, and on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pydeeplab.errors import PydeeplabError

__all__ = ["as_they_come", "ending", "leave_interrupts_to_the_parent", "process_pool"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Pool = TypeVar("Pool", bound=Executor)


@contextmanager
def process_pool(
    count: int,
    died: Callable[[], PydeeplabError],
    *,
    start: str = "spawn",
    begin: Callable[[], object] | None = None,
) -> Iterator[Executor]:
    """Processes for the time of a ``with`` block; at its end, what has not begun is dropped.

    Parameters
    ----------
    count : int
        How many, 1 or more.
    died : function
        Gives the error to raise if a process is killed from outside, as the system does for want of memory.
    start : {"spawn", "fork"}
        "fork" is quick and needs no importable main module, but only for work that starts no threads.
    begin : function, optional
        What each process does first; it must be picklable.
    """
    context = multiprocessing.get_context(start)
    try:
        with ending(ProcessPoolExecutor(count, context, initializer=_begin, initargs=(begin,))) as pool:
            yield pool
    except BrokenProcessPool:
        raise died() from None


@contextmanager
def ending(pool: Pool) -> Iterator[Pool]:
    """The pool for the time of a ``with`` block; at its end, however that comes, what has not begun is dropped."""
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def as_they_come(pool: Executor, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """The function's answers to all items, the first ready one first.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ending(ThreadPoolExecutor(2)) as pool:
    ...     sorted(as_they_come(pool, abs, [3, -2, -1]))
    [1, 2, 3]
    """
    for future in as_completed([pool.submit(function, item) for item in items]):
        yield future.result()


def leave_interrupts_to_the_parent() -> None:
    """Ignore Ctrl-C in this process: the parent hears it too, and decides what still ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _begin(begin: Callable[[], object] | None) -> None:
    leave_interrupts_to_the_parent()
    if begin is not None:
        begin()
