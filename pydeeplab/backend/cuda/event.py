"""Moments on the device's own clock."""

from __future__ import annotations

import ctypes

from pydeeplab.backend.cuda.library import Library

__all__ = ["Event"]


class Event:
    """Recorded when made: the moment when the device has done all that was asked of it before."""

    __slots__ = ("_event", "_library")

    def __init__(self, library: Library):
        self._library, self._event = library, ctypes.c_void_p()
        library.call("event_create", ctypes.byref(self._event))
        library.call("event_record", self._event)

    def seconds_until(self, later: Event) -> float:
        """Seconds from this event to a later one; waits for that."""
        milliseconds = ctypes.c_float()
        self._library.call("event_elapsed", ctypes.byref(milliseconds), self._event, later._event)
        return milliseconds.value / 1e3

    def __del__(self) -> None:
        if self._event:
            self._library.functions.event_destroy(self._event)
