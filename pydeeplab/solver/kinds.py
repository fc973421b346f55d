"""One solver class per update rule, by pycaffe's names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydeeplab.proto import SolverSource, read_solver
from pydeeplab.solver import rules
from pydeeplab.solver.solver import Solver

__all__ = [
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "get_solver",
]


class SGDSolver(Solver):
    """Trains by stochastic gradient descent with momentum."""


class NesterovSolver(SGDSolver):
    """Trains with Nesterov's momentum."""

    rule = rules.Nesterov


class AdaGradSolver(SGDSolver):
    """Trains with AdaGrad."""

    rule = rules.AdaGrad


class RMSPropSolver(SGDSolver):
    """Trains with RMSProp."""

    rule = rules.RMSProp


class AdaDeltaSolver(SGDSolver):
    """Trains with AdaDelta."""

    rule = rules.AdaDelta


class AdamSolver(SGDSolver):
    """Trains with Adam."""

    rule = rules.Adam


_CLASSES: dict[str, type[Solver]] = {
    cls.rule.type: cls for cls in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(
    solver_file: str | os.PathLike[str] | SolverSource, *, defines: Mapping[str, str] | None = None, **options: Any
) -> Solver:
    """The solver of the type that a prototxt names; ``options`` are those of `Solver`."""
    source = solver_file if isinstance(solver_file, SolverSource) else read_solver(solver_file, defines=defines)
    rule = rules.rule_of(source.param.type, source.where("type"))
    return _CLASSES[rule.type](source, defines=defines, **options)
