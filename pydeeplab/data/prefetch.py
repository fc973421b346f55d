"""Making batches ahead of their use, in background threads.

What is random or depends on order is decided first and in order (a *plan*). Turning a plan into arrays (reading,
decoding, resizing, cropping) depends on nothing else, so several threads can do it and results are the same as without
threads. Decoding in Pillow and the native kernels release Python's interpreter lock, so threads scale; processes would
have to copy every batch, and measure slower.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydeeplab.errors import UsageError
from pydeeplab.threads import usable_cores

__all__ = ["Prefetcher", "get_data_workers", "set_data_workers"]

Plan = TypeVar("Plan")
Result = TypeVar("Result")

_ENVIRONMENT = "PYDEEPLAB_DATA_WORKERS"
_MOST_BY_DEFAULT = 4
_SPARE = 1
"""Batches made ahead beyond one for each worker."""

_workers: int | None = None
_pool: ThreadPoolExecutor | None = None


def get_data_workers() -> int:
    """The number of threads that make batches for all nets of this process; 0 where batches are made when needed.

    What `set_data_workers` said, else the environment's PYDEEPLAB_DATA_WORKERS, else the number of cores, at most 4.

    Raises
    ------
    UsageError
        The environment's value is no whole number of 0 or more.
    """
    if _workers is not None:
        return _workers
    text = os.environ.get(_ENVIRONMENT, "").strip()
    if text:
        if not text.isdecimal():
            raise UsageError(f"{_ENVIRONMENT} must be a whole number of 0 or more, got '{text}'")
        return int(text)
    return min(_MOST_BY_DEFAULT, usable_cores())


def set_data_workers(count: int | None) -> None:
    """Choose the number of threads that make batches, 0 for none, None for the default.

    Nets that have begun to read ahead notice at their next batch; the batches stay the same.

    Raises
    ------
    UsageError
        The number is below 0.
    """
    global _workers, _pool
    if count is not None and count < 0:
        raise UsageError(f"the number of data workers must be 0 or more, got {count}")
    _workers = count
    old, _pool = _pool, None
    if old is not None:
        old.shutdown(wait=True)


def _executor() -> ThreadPoolExecutor:
    """The threads, shared by all nets; at its end the interpreter waits for the few batches that they have begun."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, get_data_workers()), thread_name_prefix="pydeeplab-data")
    return _pool


def _forget_threads() -> None:
    """After a fork the child has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@dataclass
class _Ahead(Generic[Plan, Result]):
    """A result being made by threads of ``process``; ``state`` is where its source stood before it was planned."""

    state: Any
    plan: Plan | None
    future: Future[Result]
    process: int


class Prefetcher(Generic[Plan, Result]):
    """Results in order, a few of them made ahead.

    Parameters
    ----------
    plan : callable
        Decides what comes next. Called one at a time, in order, in the thread that calls `next`.
    make : callable
        Turns a plan into a result; called in any thread, and several at a time.
    state : callable
        Where the source of plans stands now; asked before each plan.

    Notes
    -----
    An exception of ``plan`` or ``make`` is raised by the `next` whose result it prevents; the one after goes on behind
    it, exactly as without threads. At most one result per worker, and one more, is held.
    """

    def __init__(self, plan: Callable[[], Plan], make: Callable[[Plan], Result], state: Callable[[], Any]):
        self._plan = plan
        self._make = make
        self._state = state
        self._ahead: deque[_Ahead[Plan, Result]] = deque()

    @property
    def state(self) -> Any:
        """Where the source stood before the result that `next` will give, however much further it has read."""
        return self._ahead[0].state if self._ahead else self._state()

    def next(self) -> Result:
        """The next result; waits for it if need be."""
        workers = get_data_workers()
        if not workers and not self._ahead:
            return self._make(self._plan())
        while workers and len(self._ahead) < workers + _SPARE:
            self._start()
        first = self._ahead.popleft()
        if first.process != os.getpid() and first.plan is not None:
            return self._make(first.plan)
        return first.future.result()

    def _start(self) -> None:
        """Plan one more result and have it made."""
        state = self._state()
        try:
            plan = self._plan()
        except Exception as error:
            failed: Future[Result] = Future()
            failed.set_exception(error)
            self._ahead.append(_Ahead(state, None, failed, os.getpid()))
        else:
            self._ahead.append(_Ahead(state, plan, _executor().submit(self._make, plan), os.getpid()))

    def clear(self) -> None:
        """Throw away what was made ahead (after the source was put elsewhere)."""
        for item in self._ahead:
            item.future.cancel()
        self._ahead.clear()
