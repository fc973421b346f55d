"""Running the tasks of a search: in processes of this machine, or of many."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from pydeeplab.crf_search.task import Answer, Setting, Task, run_task
from pydeeplab.errors import PydeeplabError, UsageError
from pydeeplab.workers import as_they_come, leave_interrupts_to_the_parent, process_pool

__all__ = ["ENGINES", "RunAll", "choose_engine", "open_engine"]

ENGINES = ("joblib", "dask", "futures")
"""joblib: processes of this machine. dask: those of a Dask scheduler, through joblib. futures: without joblib."""

Run = Callable[[Task], Answer]
RunAll = Callable[[Iterable[Task]], Iterator[Answer]]


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


@contextmanager
def open_engine(
    setting: Setting, workers: int, engine: str = "futures", scheduler: str | None = None
) -> Iterator[RunAll]:
    """Start the processes of a search; what is given runs tasks in them and yields the answers as they come.

    Parameters
    ----------
    setting : Setting
        What all tasks have in common.
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
    with ExitStack() as stack:
        if engine == "dask":
            yield _dask(run, workers, scheduler, stack)
        elif workers == 1:
            yield partial(map, run)
        elif engine == "joblib":
            yield _joblib(run, workers)
        else:
            pool = stack.enter_context(process_pool(workers, partial(_died, workers)))
            yield partial(as_they_come, pool, run)


def _died(workers: int) -> PydeeplabError:
    return PydeeplabError(f"a process of the search died, perhaps for want of memory with {workers}; try fewer: --jobs")


def _joblib(run: Run, workers: int) -> RunAll:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def run_all(tasks: Iterable[Task]) -> Iterator[Answer]:
        pool = Parallel(
            workers,
            return_as="generator_unordered",
            batch_size=1,
            initializer=leave_interrupts_to_the_parent,
        )
        try:
            yield from pool(delayed(run)(task) for task in tasks)
        except TerminatedWorkerError:
            raise _died(workers) from None

    return run_all


def _dask(run: Run, workers: int, scheduler: str | None, stack: ExitStack) -> RunAll:
    from distributed import Client, LocalCluster
    from joblib import Parallel, delayed, parallel_config

    try:
        where: Any = scheduler
        if scheduler is None:
            where = stack.enter_context(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None))
        stack.enter_context(Client(where, timeout=20))
    except (OSError, ValueError) as error:
        raise PydeeplabError(f"no Dask scheduler at {scheduler or 'this machine'}: {error}") from None
    stack.enter_context(parallel_config("dask"))
    pool = Parallel(return_as="generator_unordered", batch_size=1)
    return lambda tasks: pool(delayed(run)(task) for task in tasks)
