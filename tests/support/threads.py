"""Running a piece of a test with a given number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydeeplab.threads import get_num_threads, set_num_threads


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Use ``count`` threads inside the block."""
    before = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)
