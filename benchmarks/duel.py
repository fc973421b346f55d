"""Two contestants taking turns, so that the ratio of their times does not depend on what else the machine does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import CONTESTANTS
from benchmarks.tasks import Task

__all__ = ["CannotError", "Worker", "difference", "duel"]

PAUSE = 0.1
"""Seconds between turns, in which idle threads of the last contestant go to sleep."""


class CannotError(Exception):
    """A contestant cannot do a task."""


@dataclass
class Worker:
    """A contestant's process; see `benchmarks.worker`."""

    name: str
    task: Task
    folder: Path
    check: bool = False
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Worker:
        threads = str(1 if CONTESTANTS[self.name].one_thread else self.task.threads)
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        command = [sys.executable, "-m", "benchmarks.worker", self.name, json.dumps(self.task.as_json())]
        self._log = open(self.folder / f"{self.name}.log", "w")
        self._process = subprocess.Popen(
            [*command, str(self.folder), *(["--check"] if self.check else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **dict.fromkeys(names, threads)},
        )
        try:
            self.facts = self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            last = (self.folder / f"{self.name}.log").read_text().strip().splitlines()[-1:]
            raise CannotError(f"ended with code {code}: {' '.join(last)}"[:300])
        found: dict[str, Any] = json.loads(line)
        if "cannot" in found:
            raise CannotError(found["cannot"])
        return found

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def run(self) -> None:
        """Take a turn."""
        found = self._ask("run")
        self.seconds.append(found.pop("seconds"))
        self.cpu_seconds.append(found.pop("cpu_seconds"))
        self.facts.update(found)
        time.sleep(PAUSE)

    def results(self) -> dict[str, Any]:
        """What the last turn gave."""
        path = self.folder / f"{self.name}{'.check' if self.check else ''}.npz"
        self._ask(f"save {path}")
        with np.load(path) as arrays:
            found = dict(arrays)
        path.unlink()
        return found


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The largest over all arrays of |theirs - ours| / |ours|, where |x| is the Euclidean norm."""
    if set(ours) != set(theirs):
        raise CannotError(f"gives {sorted(theirs)[:4]}, not {sorted(ours)[:4]}")
    worst = 0.0
    for name, array in ours.items():
        other = theirs[name]
        if array.shape != other.shape:
            raise CannotError(f"{name} has shape {other.shape}, not {array.shape}")
        if not (np.isfinite(array).all() and np.isfinite(other).all()):
            raise CannotError(f"{name} is not finite")
        worst = max(worst, float(np.linalg.norm(other - array) / (np.linalg.norm(array) or 1)))
    return worst


def duel(first: Worker, second: Worker, rounds: int) -> None:
    """Let both take ``rounds`` turns, alternately; the workers hold their seconds."""
    for worker in (first, second):
        worker.seconds, worker.cpu_seconds = [], []
    for _ in range(rounds):
        first.run()
        second.run()
