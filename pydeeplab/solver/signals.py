"""What signals do to training: nothing, a snapshot, or a snapshot and the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pydeeplab.errors import UsageError, did_you_mean

__all__ = ["EFFECTS", "Requests", "handling"]

EFFECTS = ("none", "snapshot", "stop")
"""What a signal may do, in Caffe's words."""


class Requests:
    """Wishes of others that a solver looks at after each iteration, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self.signal: int | None = None
        """The signal that asked to stop, if one did."""

    def add(self, effect: str) -> None:
        """Ask for "snapshot" or "stop"."""
        if effect not in EFFECTS:
            raise UsageError(
                f"unknown effect '{effect}'; known are {', '.join(EFFECTS)}.{did_you_mean(effect, EFFECTS)}"
            )
        if effect != "none":
            self._waiting.append(effect)

    @property
    def stopping(self) -> bool:
        """Whether "stop" is among the wishes."""
        return "stop" in self._waiting

    def take(self) -> str | None:
        """The next wish, if there is one."""
        return self._waiting.pop(0) if self._waiting else None


@contextmanager
def handling(requests: Requests, effects: Mapping[int, str]) -> Iterator[None]:
    """Turn signals into wishes within the block; the same stopping signal a second time interrupts at once.

    Outside the main thread signals are left alone, as Python demands.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        effect = effects[number]
        if effect == "stop":
            if requests.signal is not None:
                raise KeyboardInterrupt
            requests.signal = number
        requests.add(effect)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in effects}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
