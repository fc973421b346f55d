"""Recorded runs of reference Caffe: its nets, its data and the parameters after each of its steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pydeeplab.solver import Solver, get_solver
from tests.support.external import DATA
from tests.support.kernels import relative_error

SOLVERS = DATA / "reference" / "solvers"
STATES = DATA / "reference" / "solver_state"


def tolerance(name: str) -> float:
    """AdaGrad divides by the root of a single square at first: two builds of Caffe itself differ by 3e-5 there."""
    return 1e-4 if "AdaGrad" in name else 1e-5


def build(path: Path, record: dict[str, np.ndarray], **options: object) -> Solver:
    """The solver of a recorded run, with its first parameters."""
    solver = get_solver(path, observers=[], **options)
    for key, values in record.items():
        if key.startswith("param/"):
            _, layer, index = key.split("/")
            solver.net.params[layer][int(index)].data[...] = values
    return solver


def params(solver: Solver, record: dict[str, np.ndarray], prefix: str) -> dict[str, float]:
    """Errors of the parameters against those recorded under ``prefix/layer/index``."""
    errors = {}
    for key, values in record.items():
        if key.startswith(f"{prefix}/"):
            layer, index = key.removeprefix(f"{prefix}/").split("/")
            errors[key] = relative_error(solver.net.params[layer][int(index)].data, values)
    return errors
