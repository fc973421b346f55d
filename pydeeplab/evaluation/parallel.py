"""Scoring many pictures at once: in threads where files are read, in processes where a net runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pydeeplab.backend.room import available_bytes
from pydeeplab.errors import PydeeplabError
from pydeeplab.evaluation.pictures import Picture
from pydeeplab.evaluation.scoring import PictureScore, Predictor, Rules, score_picture
from pydeeplab.threads import get_num_threads, set_num_threads, threads_each
from pydeeplab.workers import as_they_come, ending, process_pool

__all__ = ["score_in_processes", "score_in_threads"]

_START_SECONDS = 2.0
_TRIED = 2  # the first is slow: memory is fetched, kernels are chosen

_work: tuple[Predictor, Rules] | None = None


def score_in_threads(
    predictor: Predictor, rules: Rules, pictures: Sequence[Picture], jobs: int | None = None
) -> Iterator[PictureScore]:
    """Score pictures, several at once, as they get done; for predictors that read files."""
    with ending(ThreadPoolExecutor(jobs or min(8, get_num_threads()))) as pool:
        yield from as_they_come(pool, partial(score_picture, predictor, rules), pictures)


def score_in_processes(
    predictor: Predictor, rules: Rules, pictures: Sequence[Picture], jobs: int | None = None
) -> Iterator[PictureScore]:
    """Score pictures, several at once, as they get done; for predictors that run a net.

    The first pictures are scored in this process, so that wrong options show at once; what they take tells how many
    processes pay and fit in memory, if ``jobs`` does not say. They share the threads evenly: each runs its net on its
    part of them.

    Raises
    ------
    PydeeplabError
        A process died, most likely for want of memory.
    """
    seconds = 0.0
    for picture in pictures[:_TRIED]:
        start = time.perf_counter()
        score = score_picture(predictor, rules, picture)
        seconds = time.perf_counter() - start
        yield score
    rest = pictures[_TRIED:]
    if jobs is None:
        jobs = _worthwhile_jobs(seconds, len(rest), get_num_threads())
    jobs = max(1, min(jobs, len(rest)))
    if jobs == 1:
        for picture in rest:
            yield score_picture(predictor, rules, picture)
        return
    with process_pool(jobs, partial(_died, jobs), begin=partial(_begin, predictor, rules, threads_each(jobs))) as pool:
        yield from as_they_come(pool, _score_in_worker, rest)


def _died(jobs: int) -> PydeeplabError:
    return PydeeplabError(
        f"a process that scored pictures died, perhaps for want of memory with {jobs} at once; try fewer: --jobs 1"
    )


def _worthwhile_jobs(seconds: float, pictures: int, threads: int) -> int:
    """As many processes as there are threads, if there is enough to do and memory for them."""
    if seconds * pictures < 3 * _START_SECONDS:
        return 1
    own, free = _own_bytes(), available_bytes(swap=False)
    fitting = threads if own is None or free is None else int(0.8 * free / own)
    return max(1, min(threads, fitting))


def _own_bytes() -> int | None:
    """The memory that this process takes, or None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _begin(predictor: Predictor, rules: Rules, threads: int) -> None:
    """What a process does first."""
    global _work
    set_num_threads(threads)
    _work = predictor, rules


def _score_in_worker(picture: Picture) -> PictureScore:
    assert _work is not None
    return score_picture(*_work, picture)
