"""Running the tasks of a search: in processes of this machine, or of many."""

from __future__ import annotations

import importlib.util
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from typing import Any

from pydeeplab.crf.search_task import Answer, Setting, Task, run_task
from pydeeplab.errors import PydeeplabError, UsageError

__all__ = ["ENGINES", "choose_engine", "run_tasks"]

ENGINES = ("joblib", "dask", "futures")
"""joblib: processes of this machine. dask: those of a Dask scheduler, through joblib. futures: without joblib."""

Run = Callable[[Task], Answer]


def choose_engine(engine: str | None, scheduler: str | None) -> str:
    """The engine to use: that which is named, or else what is there.

    Raises
    ------
    UsageError
        It is unknown, or not installed; or a scheduler is named for another than dask.
    """
    found = importlib.util.find_spec
    if engine is None:
        engine = "dask" if scheduler else "joblib" if found("joblib") else "futures"
    if engine not in ENGINES:
        raise UsageError(f"unknown engine '{engine}'; known are {', '.join(ENGINES)}")
    if scheduler and engine != "dask":
        raise UsageError(f"a scheduler goes with the engine dask, not {engine}")
    needed = {"joblib": ("joblib",), "dask": ("joblib", "distributed"), "futures": ()}[engine]
    missing = [name for name in needed if found(name) is None]
    if missing:
        extra = "search-dask" if engine == "dask" else "search"
        raise UsageError(f"the engine {engine} needs {' and '.join(missing)}: pip install 'pydeeplab[{extra}]'")
    return engine


def run_tasks(
    setting: Setting, tasks: Sequence[Task], workers: int, engine: str = "futures", scheduler: str | None = None
) -> Iterator[Answer]:
    """The answers, as they come.

    Parameters
    ----------
    setting, tasks
        What to do.
    workers : int
        Processes at once; with 1 this one does it all. A Dask scheduler has workers of its own.
    engine : str
        One of `ENGINES`.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``; without one, dask starts workers on this machine.

    Raises
    ------
    PydeeplabError
        A process died, most likely for want of memory; or the scheduler cannot be reached.
    """
    run = partial(run_task, setting)
    if engine == "dask":
        return _dask(run, tasks, workers, scheduler)
    if workers == 1 or len(tasks) == 1:
        return map(run, tasks)
    return _joblib(run, tasks, workers) if engine == "joblib" else _futures(run, tasks, workers)


def _died(workers: int) -> PydeeplabError:
    return PydeeplabError(f"a process of the search died, perhaps for want of memory with {workers}; try fewer: --jobs")


def _joblib(run: Run, tasks: Sequence[Task], workers: int) -> Iterator[Answer]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        yield from Parallel(workers, return_as="generator_unordered", batch_size=1)(delayed(run)(t) for t in tasks)
    except TerminatedWorkerError:
        raise _died(workers) from None


def _dask(run: Run, tasks: Sequence[Task], workers: int, scheduler: str | None) -> Iterator[Answer]:
    from distributed import Client, LocalCluster
    from joblib import Parallel, delayed, parallel_config

    with ExitStack() as stack:
        try:
            where: Any = scheduler
            if scheduler is None:
                where = stack.enter_context(
                    LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
                )
            stack.enter_context(Client(where, timeout=20))
        except (OSError, ValueError) as error:
            raise PydeeplabError(f"no Dask scheduler at {scheduler or 'this machine'}: {error}") from None
        stack.enter_context(parallel_config("dask"))
        yield from Parallel(return_as="generator_unordered", batch_size=1)(delayed(run)(t) for t in tasks)


def _futures(run: Run, tasks: Sequence[Task], workers: int) -> Iterator[Answer]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_leave_interrupts_to_the_parent) as pool:
        futures = [pool.submit(run, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise _died(workers) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
