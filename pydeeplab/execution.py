"""Running a net's nodes forward and backward: keeping every blob, the outputs only, or what training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydeeplab.chains import Merged
from pydeeplab.errors import UsageError
from pydeeplab.lean import LeanPlan
from pydeeplab.node import Node
from pydeeplab.replay import Replay
from pydeeplab.training_plan import TrainingPlan

__all__ = ["Callback", "Execution", "LeanExecution", "TrainingExecution"]

Callback = Callable[[int], None]


class Execution:
    """Every blob is kept, so that any stretch of nodes can be run.

    Attributes
    ----------
    callbacks : dict
        For each moment, ``before_forward`` to ``after_backward``, what is called with the index of the node.
    """

    def __init__(self, nodes: Sequence[Node]):
        self.nodes = nodes
        self.callbacks: dict[str, list[Callback]] = {
            f"{moment}_{way}": [] for way in ("forward", "backward") for moment in ("before", "after")
        }

    def forward(self, first: int, last: int) -> float:
        """Run nodes ``first`` to ``last`` (inclusive); returns their weighted loss."""
        loss = 0.0
        for index in range(first, last + 1):
            self._call("before_forward", index)
            loss += _run(self.nodes[index])
            self._call("after_forward", index)
        return loss

    def backward(self, last: int, first: int) -> None:
        """Run nodes ``last`` down to ``first`` (inclusive) backward."""
        for index in range(last, first - 1, -1):
            self._call("before_backward", index)
            if self.nodes[index].need_backward:
                self.nodes[index].backward()
            self._call("after_backward", index)

    def _call(self, moment: str, index: int) -> None:
        for callback in self.callbacks[moment]:
            callback(index)

    def steps(self) -> Iterator[Node | Merged]:
        """What one forward runs, in order."""
        return iter(self.nodes)

    @property
    def nbytes(self) -> int:
        """Bytes of the blobs' data, and where training plans them, of their gradients."""
        storages = {id(blob.data_storage): blob.data_storage for node in self.nodes for blob in node.tops}
        return sum(storage.capacity * storage.dtype.itemsize for storage in storages.values())

    def _check_whole(self, first: int, last: int) -> None:
        if (first, last) != (0, len(self.nodes) - 1):
            raise UsageError("a net with keep= other than 'all' runs from its first to its last layer only")


class LeanExecution(Execution):
    """Outputs are kept only, so that nodes run merged and memory is reused; a GPU may replay what it has once done."""

    def __init__(self, nodes: Sequence[Node], plan: LeanPlan, replay: Replay | None = None):
        super().__init__(nodes)
        self.plan = plan
        self.replay = replay

    def forward(self, first: int, last: int) -> float:
        """See `Execution.forward`; all nodes, always."""
        self._check_whole(first, last)
        return self.replay.forward(self._run) if self.replay else self._run()

    def _run(self) -> float:
        return sum(_run(step) for step in self.plan.steps())

    def backward(self, last: int, first: int) -> None:
        """There is none: what it would read is gone."""
        raise UsageError("a net that keeps its outputs only has no backward; build it with keep='all'")

    def steps(self) -> Iterator[Node | Merged]:
        """See `Execution.steps`; each must be run before the next is asked for."""
        return self.plan.steps()

    @property
    def nbytes(self) -> int:
        """See `Execution.nbytes`."""
        return self.plan.nbytes


class TrainingExecution(Execution):
    """What backward reads is kept, or made again, for one backward after each forward."""

    def __init__(self, nodes: Sequence[Node], plan: TrainingPlan):
        super().__init__(nodes)
        self.plan = plan

    def forward(self, first: int, last: int) -> float:
        """See `Execution.forward`; all nodes, always."""
        self._check_whole(first, last)
        self.plan.begin_forward()
        return super().forward(first, last)

    def backward(self, last: int, first: int) -> None:
        """See `Execution.backward`; all nodes, always."""
        self._check_whole(first, last)
        self.plan.begin_backward()
        super().backward(last, first)

    def _call(self, moment: str, index: int) -> None:
        """Callbacks see blobs before their memory is given up, and after it is there again."""
        if moment == "before_backward":
            self.plan.before_backward(index)
        super()._call(moment, index)
        if moment == "after_forward":
            self.plan.after_forward(index)
        elif moment == "after_backward":
            self.plan.after_backward(index)

    @property
    def nbytes(self) -> int:
        """See `Execution.nbytes`."""
        return self.plan.nbytes


def _run(step: Node | Merged) -> float:
    """Run forward; returns the loss."""
    step.forward()
    return step.loss()
