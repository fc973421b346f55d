"""Other work on the same cores, for measuring on a busy machine."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

__all__ = ["Burden"]

_WORK = """
import os
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
a, b, c = (np.ones((1000, 1000), np.float32) for _ in range(3))
while True:
    np.matmul(a, b, out=c)
"""


class Burden:
    """While entered, ``count`` processes multiply matrices, each on one thread, on whichever core they get."""

    def __init__(self, count: int):
        self._count = count
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Burden:
        self.processes = [subprocess.Popen([sys.executable, "-c", _WORK]) for _ in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
