"""What is trained, and what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydeeplab.networks import find
from pydeeplab.proto import read_solver

__all__ = ["CLAIMS", "CRF_SEARCH", "ROWS", "Claim", "Job", "Row", "jobs_of"]


@dataclass(frozen=True)
class Row:
    """A net of prototxt/camvid with one of its solvers; ``crf``: scored before and after a CRF, and on the way."""

    net: str
    solver: str = "solver"
    crf: bool = False
    seeds: int = 3


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: ``better`` scores higher than ``worse``, which differs from it in one thing."""

    table: str
    text: str
    worse: str
    better: str


ROWS = {
    "base": Row("small_largefov", crf=True),
    "step": Row("small_largefov", "solver_step"),
    "aug": Row("small_largefov", "solver_aug"),
    "aspp_s": Row("small_aspp_s"),
    "aspp_l": Row("small_aspp_l"),
    "msc": Row("small_largefov_msc"),
    "long": Row("small_aspp_s", "solver_long", crf=True, seeds=1),
}
CLAIMS = (
    Claim("2", "poly is better than step", "step", "base"),
    Claim("3", "ASPP-S is better than LargeFOV", "base", "aspp_s"),
    Claim("3", "ASPP-L is better than LargeFOV", "base", "aspp_l"),
    Claim("3", "ASPP-L is better than ASPP-S", "aspp_s", "aspp_l"),
    Claim("4", "inputs at three scales are better than one", "base", "msc"),
    Claim("4", "random scales in training help", "base", "aug"),
)
CRF_SEARCH = (
    *("--images", "24", "--rounds", "0"),
    *("--w1", "2,4", "--sigma-alpha", "30,60", "--sigma-beta", "3,6"),
)
"""How `pydeeplab crf-search` chooses parameters on the validation set."""


@dataclass(frozen=True)
class Job:
    """A row with a seed, and where its files lie."""

    name: str
    row: Row
    seed: int
    folder: Path

    @property
    def solver(self) -> Path:
        """The solver prototxt."""
        return find(f"camvid/{self.row.net}", self.row.solver)

    @property
    def log(self) -> Path:
        """The log of the training."""
        return Path(f"{self._prefix}.log")

    @property
    def iterations(self) -> list[int]:
        """Those of the snapshots."""
        last, step = self._settings.max_iter, self._settings.snapshot
        return [*range(step, last, step), last]

    def weights(self, iteration: int | None = None) -> Path:
        """The weights of a snapshot, the last by default."""
        return Path(f"{self._prefix}_iter_{iteration or self.iterations[-1]}.caffemodel")

    @property
    def _prefix(self) -> Path:
        return self.folder / str(self._settings.snapshot_prefix)

    @cached_property
    def _settings(self) -> Any:
        return read_solver(self.solver, defines={"SEED": self.seed}).param


def jobs_of(out: Path, names: Iterable[str], seeds: Sequence[int]) -> list[Job]:
    """All rows with the first seed, then all with the next."""
    names = list(names)
    return [
        Job(name, ROWS[name], seed, out / name / str(seed))
        for seed in seeds
        for name in names
        if seed <= ROWS[name].seeds
    ]
