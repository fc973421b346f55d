"""Solvers: nets trained as a solver prototxt says, step by step in Caffe's order."""

from __future__ import annotations

import os
import time
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pydeeplab.errors import UsageError
from pydeeplab.formats import LoadReport, SolverState, load_weights
from pydeeplab.net import Net
from pydeeplab.proto import SolverSource, read_solver
from pydeeplab.randomness import set_random_seed
from pydeeplab.solver import snapshot as snapshots
from pydeeplab.solver import state as states
from pydeeplab.solver.debug import DebugInfo
from pydeeplab.solver.events import Display, Observer, Score, outputs_of
from pydeeplab.solver.log import default_observers
from pydeeplab.solver.loss import SmoothedLoss
from pydeeplab.solver.nets import test_choices, train_choice
from pydeeplab.solver.rates import LearningRate
from pydeeplab.solver.rules import SGD, Rule
from pydeeplab.solver.signals import Requests
from pydeeplab.solver.testing import Tester
from pydeeplab.solver.updater import Updater
from pydeeplab.solver.watch import DivergedError, Watch

__all__ = ["Solver"]

KEEPS = ("all", "training", "recompute")


class Solver:
    """Trains a net, with pycaffe's members; `get_solver` chooses the class that a prototxt asks for.

    Parameters
    ----------
    solver_file : path or SolverSource
        A solver prototxt. Nets that it names are looked for in the working folder, then beside it.
    engine, backend, dtype
        As for `Net`.
    keep : {"all", "training", "recompute"}
        What the train net keeps; see `Net`. Unless it is all, test nets keep their outputs only.
    defines : mapping, optional
        Values for ``${NAME}`` placeholders in the solver and its nets.
    level, stages
        Added to the state of every net, after ``train_state`` and ``test_state``.
    observers : sequence of Observer, optional
        Who is told what happens; by default a log in Caffe's words on the standard error stream (none if the
        environment variable ``GLOG_minloglevel`` is 1 or more).
    strict : bool
        Raise `DivergedError` when the loss is no longer a number, before parameters are changed by it. Otherwise that
        is a warning, and training goes on as Caffe's does.

    Attributes
    ----------
    net : Net
        The net that is trained.
    test_nets : list of Net
        They use the train net's parameters.
    iter : int
        Completed updates.
    param : SolverParameter
        Changes to it (``base_lr``, ``max_iter``, ``display``, ...) count from the next iteration.
    requests : Requests
        Where others may ask for a snapshot or the end.

    Raises
    ------
    PrototxtError
        The solver or one of its nets makes no sense.
    UsageError
        Snapshots cannot be written where they should go.

    Notes
    -----
    A step is: zero the gradients; test; ``on_start``; ``iter_size`` times forward and backward; display;
    ``on_gradients_ready``; clip, normalise, regularise and apply the gradients; count; snapshot.
    """

    rule: ClassVar[type[Rule]] = SGD

    def __init__(
        self,
        solver_file: str | os.PathLike[str] | SolverSource,
        *,
        engine: str = "DEFAULT",
        backend: str | None = None,
        dtype: Any = np.float32,
        keep: str = "all",
        defines: Mapping[str, str] | None = None,
        level: int = 0,
        stages: Sequence[str] = (),
        observers: Sequence[Observer] | None = None,
        strict: bool = False,
    ):
        self.source = (
            solver_file if isinstance(solver_file, SolverSource) else read_solver(solver_file, defines=defines)
        )
        self.param = self.source.param
        self.observers = list(default_observers() if observers is None else observers)
        self.requests = Requests()
        self.iter = 0
        self._check(keep)
        self._rate = LearningRate(self.param, self.source.where)
        rule = self.rule(self.param)
        if self.param.random_seed >= 0:
            set_random_seed(self.param.random_seed)
        self.note(f"Initializing solver from parameters: \n{self.param}", "solver.cpp:44")
        options: dict[str, Any] = {"engine": engine, "backend": backend, "dtype": dtype}
        state: dict[str, Any] = {"defines": defines, "level": level, "stages": tuple(stages)}
        train = train_choice(self.source)
        self.note(f"Creating training net {train.origin}", "solver.cpp:87")
        self.net = train.build(**state, **options, keep=keep)
        self.test_nets: list[Net] = []
        tests = test_choices(self.source)
        for i, choice in enumerate(tests):
            self.note(f"Creating test net (#{i}) {choice.origin}", "solver.cpp:172")
            self.test_nets.append(choice.build(**state, **options, keep="all" if keep == "all" else "outputs"))
        batches = [choice.iterations for choice in tests]
        self._tester = Tester(self.net, self.test_nets, batches, lambda: self.requests.stopping, self._tell)
        self._updater = Updater(self.net, rule, lambda text: self.note(text, "sgd_solver.cpp:98"))
        self._watch = Watch(self.net, strict=strict)
        self._debug = (
            DebugInfo(self.net, lambda text: self.note(text, "net.cpp:591")) if self.param.debug_info else None
        )
        self._window = SmoothedLoss(self.param.average_loss)
        self._resumed_window: dict[str, Any] | None = None
        self._callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        self._stopped = False
        self._saved_at: int | None = None
        self._run = uuid.uuid4().hex
        self._shown = (0, 0.0)
        for files in self.param.weights:
            self.load_weights(files)
        self.note("Solver scaffolding done.", "solver.cpp:57")

    def _check(self, keep: str) -> None:
        if keep not in KEEPS:
            raise UsageError(f"training keeps {', '.join(KEEPS)}, not {keep!r}")
        param = self.param
        for field, least in (("iter_size", 1), ("average_loss", 1), ("display", 0), ("snapshot", 0), ("max_iter", 0)):
            if getattr(param, field) < least:
                place = self.source.where(field)
                raise UsageError(
                    f"{f'{place}: ' if place else ''}{field} must be at least {least}, got {getattr(param, field)}"
                )
        if param.snapshot:
            snapshots.probe(param.snapshot_prefix, 0)

    # Telling ---------------------------------------------------------------------------------------------------

    def _tell(self, event: Callable[..., None], *facts: object) -> None:
        for observer in self.observers:
            getattr(observer, event.__name__)(*facts)

    def note(self, text: str, place: str = "solver.cpp:0") -> None:
        """Write a line to the logs."""
        self._tell(Observer.note, text, place)

    def warn(self, text: str) -> None:
        """Say that something looks wrong: in the logs, or as a Python warning if there are none."""
        if not self.observers:
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        self._tell(Observer.warned, self.iter, text)

    # Looking in ------------------------------------------------------------------------------------------------

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self._rate.at(self.iter)

    @property
    def type(self) -> str:
        """The solver's type, as in a prototxt."""
        return self.rule.type

    @property
    def history(self) -> list[np.ndarray[Any, Any]]:
        """The update rule's memory, live: one array per learnable parameter, or two (all first ones come first)."""
        return self._updater.history

    @property
    def stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self._stopped

    def add_callback(self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object]) -> None:
        """Call ``on_start()`` at the start of each iteration and ``on_gradients_ready()`` before each update."""
        self._callbacks.append((on_start, on_gradients_ready))

    def load_weights(self, files: str | os.PathLike[str]) -> LoadReport:
        """Load weight files (comma-separated) into the train net, and into the test nets what only they have."""
        report = self.net.copy_from(files)
        self.note(f"Finetuning from {os.fspath(files)}: {report}", "caffe.cpp:155")
        for net in self.test_nets:
            load_weights(net, files)
            net.share_with(self.net)
        return report

    def share_weights(self, net: Net) -> None:
        """Make ``net`` use the parameters of the train net, layer by layer, by name."""
        net.share_with(self.net)

    # Training --------------------------------------------------------------------------------------------------

    def step(self, iterations: int) -> None:
        """Do ``iterations`` updates, or fewer if somebody asks for the end."""
        self._begin_window()
        end = self.iter + iterations
        while self.iter < end and not self._stopped:
            self._iteration()

    def _begin_window(self) -> None:
        self._stopped = False
        self._window = SmoothedLoss(self.param.average_loss)
        if self._resumed_window is not None:
            self._window.state = self._resumed_window
            self._resumed_window = None
        self._shown = self.iter, time.perf_counter()

    def _iteration(self) -> None:
        param = self.param
        self.net.clear_param_diffs()
        if self._is_due(param.test_interval) and (self.iter > 0 or param.test_initialization):
            self.test()
            if self._stopped:
                return
        for on_start, _ in self._callbacks:
            on_start()
        display = self._is_due(param.display)
        if self._debug:
            self._debug.active = display
        loss = self._accumulate()
        self._look(loss)
        smoothed = self._window.add(loss)
        self._tell(Observer.trained, self.iter, loss)
        if display:
            self._display(smoothed)
        for _, on_gradients_ready in self._callbacks:
            on_gradients_ready()
        self.apply_update()
        self.iter += 1
        self._obey(snapshot=bool(param.snapshot) and self.iter % param.snapshot == 0)

    def _is_due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _accumulate(self) -> float:
        """Forward and backward ``iter_size`` times; the mean loss."""
        last, count = len(self.net.nodes) - 1, self.param.iter_size
        loss = 0.0
        for _ in range(count):
            loss += self.net._forward(0, last)
            self.net._backward(last, 0)
        return loss / count

    def _look(self, loss: float) -> None:
        try:
            found = self._watch.look(loss)
        except DivergedError as error:
            raise DivergedError(f"iteration {self.iter}: {error}") from None
        if found:
            self.warn(f"iteration {self.iter}: {found}")

    def _display(self, smoothed: float) -> None:
        since, then = self._shown
        now = time.perf_counter()
        self._shown = self.iter, now
        display = Display(self.iter, smoothed, list(outputs_of(self.net)), now - then, self.iter - since)
        self._tell(Observer.displayed, display)

    def apply_update(self) -> None:
        """Move the parameters by their present gradients, at the rate of the present iteration."""
        before = self._rate.steps
        rate = self._rate.advance(self.iter)
        if self._rate.steps != before:
            self.note(f"MultiStep Status: Iteration {self.iter}, step = {self._rate.steps}", "sgd_solver.cpp:50")
        if self._is_due(self.param.display):
            self._tell(Observer.rated, self.iter, rate)
        magnitudes = self._debug.updating() if self._debug else []
        self._updater.apply(rate, self.iter)
        if self._debug:
            self._debug.updated(magnitudes)

    def _obey(self, *, snapshot: bool = False) -> None:
        """Take a snapshot if one is due or asked for, and note a request to stop."""
        while (request := self.requests.take()) is not None:
            snapshot |= request == "snapshot"
            self._stopped |= request == "stop"
        if snapshot:
            self.snapshot()

    def solve(self, resume_file: str | os.PathLike[str] | None = None, *, iterations: int | None = None) -> None:
        """Train until ``max_iter`` updates are done in all, then take a snapshot.

        Parameters
        ----------
        resume_file : path, optional
            A solver state to go on from.
        iterations : int, optional
            Stop after this many updates even if ``max_iter`` is not reached.

        Raises
        ------
        UsageError
            The last snapshot could not be written where it should go.
        """
        param = self.param
        if param.snapshot_after_train:
            snapshots.probe(param.snapshot_prefix, self.iter)
        if resume_file is not None:
            self.note(f"Restoring previous solver status from {os.fspath(resume_file)}", "solver.cpp:276")
            self.restore(resume_file)
        self._tell(Observer.started, self.net.name, param.lr_policy, self.iter)
        left = param.max_iter - self.iter
        limited = iterations is not None and iterations < left
        self.step(iterations if limited and iterations is not None else left)
        early = self._stopped or limited
        if (param.snapshot_after_train or early) and self._saved_at != self.iter:
            self.snapshot()
        loss = None
        if not early:
            if self._is_due(param.display):
                loss = self._window.add(self.net._forward(0, len(self.net.nodes) - 1))
            if self._is_due(param.test_interval):
                self.test()
        self._tell(Observer.finished, self.iter, early, loss)

    # Testing ---------------------------------------------------------------------------------------------------

    def test(self) -> list[Score]:
        """Run every test net over its ``test_iter`` batches; returns the mean of each output.

        A request to stop is obeyed at once; the same test is then done again when training goes on.
        """
        scores = self._tester.run(self.iter, loss=self.param.test_compute_loss)
        if self.requests.stopping:
            self._obey()
        return scores

    # Snapshots -------------------------------------------------------------------------------------------------

    def snapshot(self) -> str:
        """Write weights, solver state and what makes resuming exact; returns the name of the solver state."""
        param = self.param
        state = SolverState(self.iter, self._rate.steps, "", self._updater.history)
        extra = {
            "run": self._run,
            "type": self.type,
            "window": self._window.state,
            **states.capture_nets(self.net, self.test_nets),
        }
        hdf5 = snapshots.is_hdf5(param)
        weights, solver_state = snapshots.write(
            param.snapshot_prefix, self.net, state, extra, hdf5=hdf5, diffs=param.snapshot_diff
        )
        self._saved_at = self.iter
        self._tell(Observer.saved, self.iter, weights, solver_state)
        return solver_state

    def restore(self, state_file: str | os.PathLike[str] | snapshots.Snapshot) -> None:
        """Go on from a snapshot: weights, history, iteration, and (from our own snapshots) all random numbers and data.

        Raises
        ------
        WeightsError
            A file is missing or damaged, or does not fit this solver; nothing has then been changed but perhaps the
            weights.
        """
        found = state_file if isinstance(state_file, snapshots.Snapshot) else snapshots.read(state_file)
        if len(found.state.history) == len(self._updater.history):
            self.net.copy_from(found.weights)
        self.note("SGDSolver: restoring history", "sgd_solver.cpp:318")
        self._updater.restore(found.state.history)
        self.iter = self._saved_at = found.state.iter
        self._rate.steps = found.state.current_step
        if found.extra is None:
            self.note(
                f"{found.path}: a snapshot of Caffe; random numbers and data begin anew, so the run will differ from "
                "one that was never stopped"
            )
            return
        extra = found.extra
        self._run = extra["run"]
        self._resumed_window = extra["window"]
        for text in states.restore_nets(self.net, self.test_nets, extra):
            self.warn(text)
