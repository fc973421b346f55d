"""Which nets a solver trains and tests, and where their prototxts are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydeeplab.errors import PrototxtError
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.proto import NetSource, SolverSource, read_net

__all__ = ["NetChoice", "test_choices", "train_choice"]


@dataclass(frozen=True)
class NetChoice:
    """One net of a solver: the field (and item) that names it, its phase and state.

    ``iterations`` is the number of batches of one test, 0 for the train net.
    """

    source: SolverSource
    field: str
    item: int
    phase: int
    state: Any = None
    iterations: int = 0

    @property
    def origin(self) -> str:
        """Where the net comes from, in Caffe's words."""
        if self.field.endswith("_param"):
            return f"specified in {self.field}"
        return f"from {self.field} file: {self.path}"

    @property
    def path(self) -> str:
        """The file's name as written."""
        value = getattr(self.source.param, self.field)
        return str(value[self.item] if self.field == "test_net" else value)

    def read(self, defines: Mapping[str, str] | None) -> NetSource:
        """Read the net: a file relative to the working folder or else to the solver's."""
        if self.field.endswith("_param"):
            return self.source.net_source(self.field, self.item)
        beside = Path(self.source.path).parent / self.path
        here = Path(self.path)
        if not here.exists() and beside.exists():
            here = beside
        if not here.exists():
            place = self.source.where(self.field, self.item)
            raise PrototxtError(
                f"{f'{place}: ' if place else ''}{self.field} '{self.path}' does not exist, neither in {os.getcwd()} "
                f"nor beside the solver ({beside})"
            )
        return read_net(here, defines=defines)

    def build(
        self, defines: Mapping[str, str] | None = None, level: int = 0, stages: tuple[str, ...] = (), **options: Any
    ) -> Net:
        """Build the net in its state, to which the command line's level and stages come last."""
        state = self.state
        stages = (*(state.stage if state is not None else ()), *stages)
        level = level or (state.level if state is not None else 0)
        return Net.from_source(self.read(defines), self.phase, level=level, stages=stages, **options)


def _refuse(source: SolverSource, field: str, message: str) -> PrototxtError:
    place = source.where(field)
    return PrototxtError(f"{place or source.path}: {message}")


def train_choice(source: SolverSource) -> NetChoice:
    """The net to train.

    Raises
    ------
    PrototxtError
        None is named, or more than one.
    """
    fields = [f for f in ("train_net_param", "train_net", "net_param", "net") if source.param.HasField(f)]
    if len(fields) != 1:
        given = f"got {' and '.join(fields)}" if fields else "got none"
        raise _refuse(
            source,
            fields[1] if fields else "net",
            f"a solver names exactly one net to train, in net, train_net, net_param or train_net_param; {given}",
        )
    state = source.param.train_state if source.param.HasField("train_state") else None
    return NetChoice(source, fields[0], 0, TRAIN, state)


def test_choices(source: SolverSource) -> list[NetChoice]:
    """The nets to test during training, in Caffe's order; often none.

    Raises
    ------
    PrototxtError
        Their number, that of test_iter and that of test_state do not agree, or there is no test_interval.
    """
    param = source.param
    named = [("test_net_param", i) for i in range(len(param.test_net_param))]
    named += [("test_net", i) for i in range(len(param.test_net))]
    generic = next((f for f in ("net_param", "net") if param.HasField(f)), None)
    tests = len(param.test_iter)
    if tests < len(named) or (generic is None and tests != len(named)):
        raise _refuse(
            source, "test_iter", f"test_iter must be given once for each test net: {len(named)} nets, {tests} test_iter"
        )
    if generic is not None:
        named += [(generic, 0)] * (tests - len(named))
    states = list(param.test_state)
    if states and len(states) != len(named):
        raise _refuse(
            source,
            "test_state",
            f"test_state must be given once for each test net, or not at all: {len(named)} nets, {len(states)} states",
        )
    if named and param.test_interval <= 0:
        raise _refuse(source, "test_interval", "there are test nets (test_iter), but no test_interval above 0")
    return [
        NetChoice(source, field, item, TEST, states[i] if states else None, int(param.test_iter[i]))
        for i, (field, item) in enumerate(named)
    ]
