"""CUDA graphs: what was asked of the device once, to be asked again in one call."""

from __future__ import annotations

import contextlib
import ctypes
import weakref
from collections.abc import Callable
from typing import TypeVar

from pydeeplab.backend.cuda.library import Library
from pydeeplab.errors import DeviceError

__all__ = ["Graph"]

Result = TypeVar("Result")


class Graph:
    """A recorded sequence of kernels, with the very pointers and numbers that they were given."""

    def __init__(self, library: Library):
        self._library = library
        self._graph = ctypes.c_void_p()

    def record(self, run: Callable[[], Result]) -> Result:
        """Call ``run``, whose kernels are recorded instead of run; what it returns.

        Raises
        ------
        DeviceError
            Something in it cannot be recorded, such as waiting for the device. The device then goes on as before.
        """
        self._library.call("graph_begin")
        try:
            result = run()
        except BaseException:
            with contextlib.suppress(DeviceError):
                self._end()
            raise
        self._end()
        return result

    def _end(self) -> None:
        self._library.call("graph_end", ctypes.byref(self._graph))
        weakref.finalize(self, self._library.functions.graph_destroy, self._graph).atexit = False

    def launch(self) -> None:
        """Run what was recorded."""
        self._library.call("graph_launch", self._graph)
