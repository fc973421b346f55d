"""Tests during training: means of a net's outputs over a number of batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pydeeplab.net import Net
from pydeeplab.solver import state as states
from pydeeplab.solver.events import Observer, Output, Score, Tell, outputs_of

__all__ = ["Tester"]


class Tester:
    """Runs the test nets of a solver.

    Parameters
    ----------
    trained : Net
        Whose parameters the test nets use.
    nets, batches
        The nets, and the number of batches of each.
    interrupted : function
        Asked before each batch whether to break off.
    tell : function
        Told what happens.
    """

    def __init__(self, trained: Net, nets: list[Net], batches: list[int], interrupted: Callable[[], bool], tell: Tell):
        self._trained = trained
        self._nets = nets
        self._batches = batches
        self._interrupted = interrupted
        self._tell = tell
        for net in nets:
            net.share_with(trained)

    def run(self, iteration: int, *, loss: bool = False) -> list[Score]:
        """Test every net; ``loss`` asks for the mean loss too.

        When it is broken off, the nets go back to where they stood: the same test can be done again later.
        """
        before = [states.capture(net) for net in self._nets]
        scores: list[Score] = []
        for index in range(len(self._nets)):
            self._tell(Observer.testing, iteration, index)
            score = self._test(iteration, index, loss)
            if score is None:
                self._tell(Observer.note, "Test interrupted.", "solver.cpp:348")
                for net, state in zip(self._nets, before, strict=True):
                    states.restore(net, state)
                break
            self._tell(Observer.tested, score)
            scores.append(score)
        return scores

    def _test(self, iteration: int, index: int, with_loss: bool) -> Score | None:
        net, batches = self._nets[index], self._batches[index]
        net.share_with(self._trained)
        last = len(net.nodes) - 1
        loss, sums, found = 0.0, np.zeros(0), list[Output]()
        for batch in range(batches):
            if self._interrupted():
                return None
            loss += net._forward(0, last)
            found = list(outputs_of(net))
            values = np.array([output.value for output in found])
            sums = values if batch == 0 else sums + values
        means = [Output(o.name, total / batches, o.loss_weight) for o, total in zip(found, sums.tolist(), strict=True)]
        return Score(iteration, index, means, loss / batches if with_loss and batches else None)
