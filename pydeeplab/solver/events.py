"""What a solver tells those who watch it: logs, progress bars, tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydeeplab.net import Net

__all__ = ["Display", "Observer", "Output", "Score", "Tell", "outputs_of"]

Tell = Callable[..., None]
"""Called with a method of `Observer` and its arguments: passes them on to all observers."""


@dataclass(frozen=True)
class Output:
    """One number of a net's output blobs; ``loss_weight`` is 0 where the blob is no loss."""

    name: str
    value: float
    loss_weight: float = 0.0


@dataclass(frozen=True)
class Display:
    """What is shown every ``display`` iterations. ``seconds`` is the time since the last one (0 at first)."""

    iteration: int
    loss: float
    outputs: list[Output]
    seconds: float = 0.0
    iterations: int = 0


@dataclass(frozen=True)
class Score:
    """The result of testing one net: means over its batches. ``loss`` only with ``test_compute_loss``."""

    iteration: int
    net: int
    outputs: list[Output]
    loss: float | None = None


class Observer:
    """Base of those who watch; every method does nothing. They are called in the order of Caffe's log."""

    def note(self, text: str, place: str = "solver.cpp:0") -> None:
        """Something worth a line in the log."""

    def warned(self, iteration: int, text: str) -> None:
        """Something looks wrong."""

    def started(self, net: str, policy: str, iteration: int) -> None:
        """`solve` begins."""

    def trained(self, iteration: int, loss: float) -> None:
        """The gradients of an iteration are there; its update comes next."""

    def displayed(self, display: Display) -> None:
        """A display iteration."""

    def rated(self, iteration: int, rate: float) -> None:
        """The learning rate of a display iteration, after `displayed`."""

    def testing(self, iteration: int, net: int) -> None:
        """A test begins."""

    def tested(self, score: Score) -> None:
        """A test has ended."""

    def saved(self, iteration: int, weights: str, state: str) -> None:
        """A snapshot is complete."""

    def finished(self, iteration: int, early: bool, loss: float | None) -> None:
        """`solve` ends; ``loss`` that of a last forward pass, if one was run."""


def outputs_of(net: Net) -> Iterator[Output]:
    """All numbers of a net's outputs, in Caffe's order."""
    weights = net.blob_loss_weights
    for name in net.outputs:
        for value in net.blobs[name].look().reshape(-1):
            yield Output(name, float(value), weights[name])
