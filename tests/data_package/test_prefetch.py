"""Reading ahead: order, errors, positions, threads that end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pydeeplab.data.prefetch import Prefetcher, get_data_workers, set_data_workers
from pydeeplab.errors import DataError, UsageError


class Counter:
    """A source of plans 0, 1, 2, ...; every fifth plan and every seventh result fails."""

    def __init__(self) -> None:
        self.count = 0
        self.made_in: set[str] = set()
        self.running = self.most_running = 0

    def plan(self) -> int:
        self.count += 1
        if self.count % 5 == 0:
            raise DataError(f"plan {self.count}")
        return self.count

    def make(self, plan: int) -> int:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        time.sleep(0.003 if plan % 2 else 0)
        self.made_in.add(threading.current_thread().name)
        self.running -= 1
        if plan % 7 == 0:
            raise DataError(f"result {plan}")
        return plan

    def prefetcher(self) -> Prefetcher[int, int]:
        return Prefetcher(self.plan, self.make, lambda: self.count)


@pytest.fixture(autouse=True)
def _default_workers() -> Iterator[None]:
    yield
    set_data_workers(None)


def outcomes(prefetcher: Prefetcher[int, int], count: int) -> list[Any]:
    seen: list[Any] = []
    for _ in range(count):
        seen.append(prefetcher.state)
        try:
            seen.append(prefetcher.next())
        except DataError as error:
            seen.append(str(error))
    return seen


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_order_errors_and_states_are_those_without_workers(workers: int) -> None:
    set_data_workers(0)
    source = Counter()
    expected = outcomes(source.prefetcher(), 40)
    assert source.made_in == {threading.current_thread().name}
    assert expected[9] == "plan 5"
    assert expected[13] == "result 7"
    set_data_workers(workers)
    source = Counter()
    assert outcomes(source.prefetcher(), 40) == expected
    assert threading.current_thread().name not in source.made_in
    assert source.most_running <= workers


def test_only_a_few_are_made_ahead() -> None:
    set_data_workers(2)
    source = Counter()
    prefetcher = source.prefetcher()
    prefetcher.next()
    time.sleep(0.05)
    assert source.count <= 3


def test_the_number_of_workers_may_change_at_any_time() -> None:
    source = Counter()
    prefetcher = source.prefetcher()
    seen = []
    for workers in (3, 0, 1, 4, 0):
        set_data_workers(workers)
        seen += outcomes(prefetcher, 6)
    set_data_workers(0)
    assert seen == outcomes(Counter().prefetcher(), 30)


def test_clearing_forgets_what_was_made() -> None:
    set_data_workers(3)
    source = Counter()
    prefetcher = source.prefetcher()
    prefetcher.next()
    prefetcher.clear()
    source.count = 30
    assert prefetcher.state == 30
    assert prefetcher.next() == 31


def test_where_the_number_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    set_data_workers(None)
    monkeypatch.delenv("PYDEEPLAB_DATA_WORKERS", raising=False)
    assert 1 <= get_data_workers() <= 4
    monkeypatch.setenv("PYDEEPLAB_DATA_WORKERS", "7")
    assert get_data_workers() == 7
    set_data_workers(2)
    assert get_data_workers() == 2
    set_data_workers(None)
    for wrong in ("-1", "many"):
        monkeypatch.setenv("PYDEEPLAB_DATA_WORKERS", wrong)
        with pytest.raises(UsageError, match="PYDEEPLAB_DATA_WORKERS must be a whole number"):
            get_data_workers()
    with pytest.raises(UsageError, match="0 or more, got -1"):
        set_data_workers(-1)


ENDS = """
import threading, time
from pydeeplab.data.prefetch import Prefetcher, set_data_workers
set_data_workers(3)
def make(plan):
    time.sleep(0.05)
    return plan
prefetcher = Prefetcher(iter(range(10**9)).__next__, make, lambda: None)
print(prefetcher.next(), threading.active_count() > 1, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "raise KeyboardInterrupt", "del prefetcher"])
def test_the_interpreter_ends_while_batches_are_being_made(end: str) -> None:
    command = [sys.executable, "-c", ENDS.format(end=end)]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "0 True\n"
    assert done.returncode == 0 or "KeyboardInterrupt" in end
    assert time.monotonic() - start < 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on() -> None:
    """Its parent's threads are not there, so batches that they were making are made again."""
    script = ENDS.format(
        end="import os\n"
        "child = os.fork()\n"
        "answer = [prefetcher.next() for _ in range(6)]\n"
        "print('child' if child == 0 else 'parent', answer, flush=True)\n"
        "child and os.waitpid(child, 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    lines = done.stdout.splitlines()[1:]
    assert sorted(lines) == ["child [1, 2, 3, 4, 5, 6]", "parent [1, 2, 3, 4, 5, 6]"]
