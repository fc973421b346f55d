"""A stop watch: pycaffe's ``Timer``."""

from __future__ import annotations

import time

__all__ = ["Timer"]


class Timer:
    """Measures the wall-clock time between `start` and `stop`.

    Examples
    --------
    >>> timer = Timer()
    >>> timer.start()
    >>> timer.stop()
    >>> 0 <= timer.ms < 1000
    True
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """Stop measuring; `ms` stays as it is until the next `start`."""
        self._seconds = self._elapsed()
        self._started = None

    def _elapsed(self) -> float:
        return self._seconds if self._started is None else time.perf_counter() - self._started

    @property
    def ms(self) -> float:
        """Milliseconds between `start` and `stop`, or since `start` while running; 0 if it never ran."""
        return 1000 * self._elapsed()
