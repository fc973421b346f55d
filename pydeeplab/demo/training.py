"""Training the demo's net by its solver prototxt, as `pydeeplab train` would."""

from __future__ import annotations

from pathlib import Path

from pydeeplab.errors import PrototxtError, UsageError
from pydeeplab.files import make_folder
from pydeeplab.preflight import Report, check_training
from pydeeplab.proto import SolverSource, read_solver
from pydeeplab.resources import find_net
from pydeeplab.solver import GlogLog, Observer, get_solver

__all__ = ["NET", "read_recipe", "train"]

NET = "tiny/aspp"
_TESTS, _LEAST_INTERVAL = 8, 5
"""How often a training of another length than the solver's is tested, and after how many updates at least."""


def read_recipe(folder: Path, *, seed: int, iterations: int | None = None) -> SolverSource:
    """The solver of the demo's net, for the scenes in a folder.

    Parameters
    ----------
    folder
        The demo's; scenes are in ``data`` below it, snapshots and the log will be in ``model``.
    seed
        Of all that is random in training.
    iterations
        Another number of updates than the solver's.

    Raises
    ------
    UsageError
        ``iterations`` is below 1.
    """
    source = read_solver(find_net(NET, "solver"), defines={"DEMO": str(folder)})
    source.param.random_seed = seed
    if iterations is not None:
        if iterations < 1:
            raise UsageError(f"the number of iterations must be at least 1, got {iterations}")
        source.param.max_iter = iterations
        source.param.test_interval = max(-(-iterations // _TESTS), _LEAST_INTERVAL)
        source.param.snapshot = 0
    return source


def train(source: SolverSource, folder: Path, watch: Observer) -> tuple[Path, Path, Report]:
    """Check, then train.

    Parameters
    ----------
    source
        From `read_recipe`.
    folder
        The same as there.
    watch
        Is told what happens.

    Returns
    -------
    weights, log : Path
    report : Report
        What the preflight found.

    Raises
    ------
    PrototxtError
        The preflight found errors.
    """
    prefix = str(source.param.snapshot_prefix)
    make_folder(Path(prefix).parent)
    defines = {"DEMO": str(folder)}
    report = check_training(source, defines=defines, fast=True)
    if not report.ok:
        raise PrototxtError("; ".join(finding.message for finding in report.of("error")))
    log = Path(f"{prefix}.log")
    with log.open("w", encoding="utf-8") as stream:
        observers = [GlogLog(stream, header=True), watch]
        solver = get_solver(source, defines=defines, observers=observers, strict=True)
        solver.solve()
    return Path(f"{prefix}_iter_{solver.iter}.caffemodel"), log, report
