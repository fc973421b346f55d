"""Steps that share all of their parameters, run together: the convolutions of a picture's scales, say.

Filters are then transformed and packed once for all, and threads have more to do between two waits for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain

from pydeeplab.blob import Blob
from pydeeplab.chains import ConvolutionChain, Merged, has_stored_statistics
from pydeeplab.dependencies import Access, Order
from pydeeplab.layer import Layer
from pydeeplab.merged import convolves
from pydeeplab.node import Node, reraise

__all__ = ["Lockstep", "in_lockstep"]

_SETTINGS = {
    "Convolution": "convolution_param",
    "BatchNorm": "batch_norm_param",
    "Scale": "scale_param",
    "Bias": "bias_param",
    "ReLU": "relu_param",
    "Eltwise": "eltwise_param",
}
"""Where the layers of a `ConvolutionChain` have their settings."""


class Lockstep(Merged):
    """Convolutions of the same parameters and settings, with what is merged into each, as one step."""

    def __init__(self, parts: Sequence[ConvolutionChain]):
        super().__init__([node for part in parts for node in part.nodes])
        self._parts = list(parts)
        self.bottoms = [blob for part in parts for blob in part.bottoms]
        self.tops = [blob for part in parts for blob in part.tops]
        self.within = [blob for part in parts for blob in part.within]
        self._turns: list[list[ConvolutionChain]] = []
        self._state: list[Hashable] = []

    @property
    def name(self) -> str:
        """The names of the parts."""
        return " & ".join(part.name for part in self._parts)

    @property
    def parts(self) -> list[ConvolutionChain]:
        """The convolutions, each with what is merged into it."""
        return self._parts

    @property
    def multiply_adds(self) -> int:
        """Multiply-accumulate operations of one forward pass."""
        return sum(part.multiply_adds for part in self._parts)

    def overwritable(self) -> list[tuple[Blob, Sequence[Blob]]]:
        """What the parts may overwrite, but for memory that other parts use, too."""
        users = [_storages((*part.bottoms, *part.within, *part.tops)) for part in self._parts]

        def is_its_own(blob: Blob) -> bool:
            return sum(id(blob.data_storage) in used for used in users) == 1

        pairs = chain.from_iterable(part.overwritable() for part in self._parts)
        return [(top, list(filter(is_its_own, terms))) for top, terms in pairs]

    def forward(self) -> None:
        """Compute the tops from the bottoms."""
        state: list[Hashable] = [(_parameters(p), *(blob.shape for blob in p.bottoms)) for p in self._parts]
        for part in self._parts:
            part.prepare()
        if state != self._state:
            self._turns, self._state = _turns(self._parts), state
        for leader, *others in self._turns:
            if others:
                _run_together([leader, *others])
            else:
                leader.forward()


def _run_together(turn: Sequence[ConvolutionChain]) -> None:
    leader = turn[0]
    try:
        leader.layer.forward_pictures([part.picture() for part in turn], leader.epilogue)
    except Exception as error:
        reraise(error, leader.layer)


def _turns(parts: Sequence[ConvolutionChain]) -> list[list[ConvolutionChain]]:
    """Which of the parts are computed together at their present shapes, each with those that gain by its company."""
    left, found = list(parts), []
    while left:
        leader, *left = left
        fitting = [p for p in left if p.is_one_pass and _parameters(p) == _parameters(leader)]
        company = leader.layer.companions([p.layer for p in fitting]) if leader.is_one_pass else []
        found.append([leader, *(p for p in left if p.layer in company)])
        left = [p for p in left if p.layer not in company]
    return found


def in_lockstep(steps: Sequence[Node | Merged]) -> list[Node | Merged]:
    """Run together what shares its parameters and is the faster for it; the other steps stay in order where they can.

    Parameters
    ----------
    steps : sequence
        In an order in which they can run, with their present shapes.

    Returns
    -------
    list
        The same, in an order in which each still reads what it did, some of them as a `Lockstep`.
    """
    chains = {i: found for i, step in enumerate(steps) if (found := _as_chain(step))}
    families: dict[Hashable, list[int]] = defaultdict(list)
    for i, found in chains.items():
        families[_likeness(found)].append(i)
    places = {id(found): i for i, found in chains.items()}
    turns = [turn for family in families.values() for turn in _turns([chains[i] for i in family]) if len(turn) > 1]
    if not turns:
        return list(steps)
    order = Order([_access(step) for step in steps])
    for leader, *others in turns:
        for other in others:
            order.join(places[id(leader)], places[id(other)])
    units = order.sequence()
    return [Lockstep([chains[i] for i in unit]) if len(unit) > 1 else steps[unit[0]] for unit in units]


def _as_chain(step: Node | Merged) -> ConvolutionChain | None:
    """The step if it is a convolution, with what is merged into it."""
    if isinstance(step, Merged):
        return step if isinstance(step, ConvolutionChain) else None
    return ConvolutionChain([step]) if convolves(step) and not any(step.layer.loss_weights) else None


def _parameters(part: ConvolutionChain) -> tuple[int, ...]:
    return tuple(id(blob.data_storage) for node in part.nodes for blob in node.layer.blobs)


def _likeness(part: ConvolutionChain) -> Hashable:
    """The same of all that have the same settings and parameters."""
    layers = [node.layer for node in part.nodes]
    settings = [getattr(layer.param, _SETTINGS[layer.type]).SerializeToString() for layer in layers]
    return type(part), tuple(layer.type for layer in layers), tuple(settings), _parameters(part)


def _storages(blobs: Iterable[Blob]) -> set[int]:
    return {id(blob.data_storage) for blob in blobs}


def _access(step: Node | Merged) -> Access:
    """What a step reads and writes; all that may do something else when run again also write one common state."""
    layers = [node.layer for node in step.nodes]
    parameters = _storages(blob for layer in layers for blob in layer.blobs)
    reads, writes = _storages((*step.bottoms, *step.within)), _storages((*step.within, *step.tops))
    if any(_has_state(layer) for layer in layers):
        return Access(reads | parameters, writes | parameters | {0})
    return Access(reads | parameters, writes)


def _has_state(layer: Layer) -> bool:
    return not layer.repeatable or (layer.type == "BatchNorm" and not has_stored_statistics(layer))
