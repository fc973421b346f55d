"""A progress bar with ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from typing import IO, TypeVar

__all__ = ["Progress", "TaskProgress", "format_seconds", "track"]

Item = TypeVar("Item")


def format_seconds(seconds: float) -> str:
    """``75`` -> ``1:15``, ``3725`` -> ``1:02:05``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Shows ``done`` of ``total`` with a message; use as a context manager.

    On a terminal one line is redrawn at most ten times a second; elsewhere a line is printed at most every
    ``line_every`` seconds and at the end. Nothing is shown when ``quiet``.
    """

    def __init__(
        self, total: int, label: str, *, stream: IO[str] | None = None, quiet: bool = False, line_every: float = 10.0
    ):
        self.total, self.label, self.quiet = total, label, quiet
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._pause = 0.1 if self._terminal else line_every
        self._start = self._shown = time.monotonic()
        self.done = 0
        self.message = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.total or self.done:
            self._show()
        if self._terminal and not self.quiet:
            self._stream.write("\n")

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

    def advance(self, message: str = "", by: int = 1) -> None:
        """Count ``by`` more items as done."""
        self.done += by
        self.message = message
        now = time.monotonic()
        if now - self._shown >= self._pause and self.done < self.total:
            self._shown = now
            self._show()

    def _show(self) -> None:
        if self.quiet:
            return
        elapsed = self.elapsed
        if 0 < self.done < self.total:
            timing = f"ETA {format_seconds(elapsed / self.done * (self.total - self.done))}"
        else:
            timing = format_seconds(elapsed)
        text = f"{self.label} {self.done}/{self.total} {timing} {self.message}".rstrip()
        if not self._terminal:
            self._stream.write(text + "\n")
            return
        width = shutil.get_terminal_size().columns
        cells = max(10, min(40, width - len(text) - 4))
        filled = cells * self.done // max(1, self.total)
        self._stream.write(f"\r\x1b[2K[{'#' * filled}{'.' * (cells - filled)}] {text}"[: width + 5])
        self._stream.flush()


class TaskProgress:
    """Shows the progress of tasks, one after another; give it as ``watch``: label, done, total."""

    def __init__(self, quiet: bool):
        self._quiet = quiet
        self._bar: Progress | None = None

    def __call__(self, label: str, done: int, total: int) -> None:
        if self._bar is None or self._bar.label != label:
            self._bar = Progress(total, label, quiet=self._quiet)
        self._bar.advance(by=done - self._bar.done)
        if done == total:
            self._bar.__exit__()
            self._bar = None


def track(items: Iterable[Item], total: int, label: str, *, quiet: bool = False) -> Iterator[Item]:
    """Iterate over ``items``, showing progress."""
    with Progress(total, label, quiet=quiet) as progress:
        for item in items:
            yield item
            progress.advance()
