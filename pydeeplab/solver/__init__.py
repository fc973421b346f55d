"""Training: solvers, their update rules and learning rates, snapshots and logs."""

from pydeeplab.solver.events import Display, Observer, Output, Score
from pydeeplab.solver.kinds import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from pydeeplab.solver.log import GlogLog, JsonLog
from pydeeplab.solver.rates import LearningRate
from pydeeplab.solver.signals import Requests
from pydeeplab.solver.solver import Solver
from pydeeplab.solver.watch import DivergedError

__all__ = [
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Display",
    "DivergedError",
    "GlogLog",
    "JsonLog",
    "LearningRate",
    "NesterovSolver",
    "Observer",
    "Output",
    "RMSPropSolver",
    "Requests",
    "SGDSolver",
    "Score",
    "Solver",
    "get_solver",
]
