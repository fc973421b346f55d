"""Pools that end well."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from pydeeplab.errors import PydeeplabError
from pydeeplab.prepare.pool import map_files
from pydeeplab.threads import get_num_threads, set_num_threads, threads_each
from pydeeplab.workers import as_they_come, ending, process_pool


def died() -> PydeeplabError:
    return PydeeplabError("it was killed")


def end_at(number: int, own: int) -> int:
    if own == number:
        os._exit(9)
    return own


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_processes_ignore_interrupts_and_begin_as_they_are_told(start: str, tmp_path: Path) -> None:
    with process_pool(2, died, start=start, begin=partial(os.chdir, tmp_path)) as pool:
        assert set(as_they_come(pool, signal.getsignal, [signal.SIGINT] * 4)) == {signal.SIG_IGN}
        assert pool.submit(os.getcwd).result() == str(tmp_path)
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_a_process_that_is_killed_is_the_callers_error(start: str) -> None:
    with pytest.raises(PydeeplabError, match="it was killed"), process_pool(2, died, start=start) as pool:
        list(as_they_come(pool, partial(end_at, 3), range(6)))


def test_preparing_says_after_how_many_files_a_process_was_killed() -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no processes here")
    with pytest.raises(PydeeplabError, match=r"that checks files was killed, after \d+ of 100 files"):
        map_files(partial(end_at, 60), range(100), 2, lambda done: None, "checks files")


@pytest.mark.parametrize("fail", [True, False], ids=["failing", "leaving"])
def test_what_has_not_begun_is_dropped(fail: bool) -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.02 if number else 0)

    def use(pool: ThreadPoolExecutor) -> None:
        for _ in as_they_come(pool, work, range(100)):
            if fail:
                raise died()
            return

    with pytest.raises(PydeeplabError) if fail else nullcontext(), ending(ThreadPoolExecutor(1)) as pool:
        use(pool)
    assert len(begun) < 100


def test_processes_share_the_threads() -> None:
    before = get_num_threads()
    try:
        set_num_threads(7)
        assert [threads_each(n) for n in (1, 2, 3, 7, 50)] == [7, 3, 2, 1, 1]
    finally:
        set_num_threads(before)
