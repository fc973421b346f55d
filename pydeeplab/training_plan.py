"""Training in little memory: what no later step reads is forgotten, and some of it is computed again.

Forward and backward read the data of a blob at known places, and its gradient lives only from its reader's backward
pass to its maker's. `TrainingPlan` hands memory on accordingly. Numbers do not change in any bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pydeeplab.backend import Backend
from pydeeplab.blob import Blob, MemoryPool, Storage
from pydeeplab.errors import UsageError
from pydeeplab.node import Node
from pydeeplab.segments import Segment, choose_segments, touched_by

__all__ = ["TrainingPlan"]


def _read_by_backward(node: Node) -> list[Blob]:
    """The blobs whose data the node's backward reads."""
    if not node.need_backward:
        return []
    bottoms, tops = node.layer.backward_reads()
    return [*(node.bottoms if bottoms else ()), *(node.tops if tops else ())]


class TrainingPlan:
    """Which memory is free after which layer, forward and backward, and which layers run forward twice.

    Parameters
    ----------
    kept : blobs
        Their data and gradients are never given up, nor are those of inputs, data and losses.
    recompute : bool
        Forget what only one segment of the net reads after its forward pass; run it again before its backward pass.
    """

    def __init__(
        self, nodes: Sequence[Node], kept: Sequence[Blob], backend: Backend, dtype: np.dtype[Any], *, recompute: bool
    ):
        self.nodes = nodes
        self._pool = MemoryPool(backend, dtype)
        self._sources = [top for node in nodes if not node.bottoms for top in node.tops]
        losses = [t for n in nodes for t, w in zip(n.tops, n.layer.loss_weights, strict=False) if w]
        pinned = [*kept, *self._sources, *losses]
        self._data = _storages(nodes, "data_storage")
        self._touched = touched_by(nodes)
        self._readers = self._backward_readers()
        self.segments = choose_segments(nodes, self._readers) if recompute else [Segment(0, len(nodes), False)]
        self._after_forward: list[list[Storage]] = [[] for _ in nodes]
        self._after_backward: list[list[Storage]] = [[] for _ in nodes]
        self._repeated: dict[int, list[tuple[Node, list[Storage]]]] = {}
        self._plan_data({id(blob.data_storage) for blob in pinned})
        self._plan_gradients({id(blob.diff_storage) for blob in pinned})
        self._shapes: list[tuple[int, ...]] = []
        self._ran = False

    # Planning --------------------------------------------------------------------------------------------------

    def _plan_data(self, pinned: set[int]) -> None:
        for segment in self.segments:
            begun = {key for key, (first, _, _) in self._touched.items() if segment.begin <= first < segment.end}
            own = begun - pinned
            internal = {key for key in own if segment.repeated and self._touched[key][1] < segment.end}
            for key in own:
                self._data[key].pool = self._pool
            for key in own - internal:
                self._plan_crossing(key)
            for key in internal:
                self._plan_internal(key, segment)
            if internal:
                self._repeated[segment.end - 1] = self._plan_repeat(segment, internal)

    def _plan_crossing(self, key: int) -> None:
        """Memory that is not made again: wanted until its last reader, forward, backward or in a repeated segment."""
        first, last, _ = self._touched[key]
        ends = [s.begin for s in self.segments if s.repeated and s.begin <= last and s.end > first]
        ends += [self._readers[key]] if key in self._readers else []
        if ends:
            self._after_backward[min(ends)].append(self._data[key])
        else:
            self._after_forward[last].append(self._data[key])

    def _plan_internal(self, key: int, segment: Segment) -> None:
        """Memory that only one repeated segment uses: given up within it, or at its end until it runs again."""
        if key in self._readers:
            self._after_forward[segment.end - 1].append(self._data[key])
            self._after_backward[self._readers[key]].append(self._data[key])
        else:
            self._after_forward[self._touched[key][1]].append(self._data[key])

    def _plan_repeat(self, segment: Segment, internal: set[int]) -> list[tuple[Node, list[Storage]]]:
        """The nodes that make what backward wants of a segment's own memory; behind each, what is then done with."""
        nodes = self.nodes[segment.begin : segment.end]
        wanted = internal & set(self._readers)
        chosen: list[Node] = []
        size = -1
        while size != len(wanted):
            size, chosen = len(wanted), []
            for node in reversed(nodes):
                tops = {id(blob.data_storage) for blob in node.tops}
                if tops & wanted:
                    chosen.insert(0, node)
                    wanted |= tops | ({id(blob.data_storage) for blob in node.bottoms} & internal)
        last = {key: index for key, (_, index, _) in touched_by(chosen).items() if key in internal - set(self._readers)}
        return [(node, [self._data[k] for k, at in last.items() if at == i]) for i, node in enumerate(chosen)]

    def _backward_readers(self) -> dict[int, int]:
        """By the id of a storage of data: the first node (the last to run backward) whose backward reads it."""
        readers: dict[int, int] = {}
        for index, node in enumerate(self.nodes):
            for blob in _read_by_backward(node):
                readers.setdefault(id(blob.data_storage), index)
        return readers

    def _plan_gradients(self, pinned: set[int]) -> None:
        storages = _storages(self.nodes, "diff_storage")
        written: set[int] = set()
        ends: dict[int, int] = {}
        for index, node in enumerate(self.nodes):
            if not node.need_backward:
                continue
            made = [b for b, wanted in zip(node.bottoms, node.propagate_down, strict=True) if wanted]
            if node.layer.type == "Python":
                pinned |= {id(blob.diff_storage) for blob in node.bottoms}
            written |= {id(blob.diff_storage) for blob in made}
            for blob in (*made, *node.tops):
                ends.setdefault(id(blob.diff_storage), index)
        for key in written - pinned:
            storages[key].pool = self._pool
            self._after_backward[ends[key]].append(storages[key])

    # Running ---------------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of the data and gradients of blobs that a step needs."""
        own = sum(s.capacity * s.dtype.itemsize for s in self._data.values() if s.pool is None)
        return own + self._pool.nbytes

    def begin_forward(self) -> None:
        """Call before the first layer runs."""
        shapes = [top.shape for top in self._sources]
        if shapes != self._shapes:
            self._pool.clear()
            self._shapes = shapes
        self._ran = False

    def after_forward(self, index: int) -> None:
        """Call after each layer has run forward."""
        for storage in self._after_forward[index]:
            storage.release()
        self._ran = index == len(self.nodes) - 1

    def begin_backward(self) -> None:
        """Call before the last layer runs backward.

        Raises
        ------
        UsageError
            There is nothing to go back through.
        """
        if not self._ran:
            raise UsageError(
                "a net that keeps only what training needs runs backward once after each forward pass; run forward "
                "again, or build the net with keep='all'"
            )
        self._ran = False

    def before_backward(self, index: int) -> None:
        """Call before each layer runs backward."""
        for node, done in self._repeated.get(index, ()):
            node.layer.repeating = True
            try:
                node.forward()
            finally:
                node.layer.repeating = False
            for storage in done:
                storage.release()

    def after_backward(self, index: int) -> None:
        """Call after each layer has, or would have, run backward."""
        for storage in self._after_backward[index]:
            storage.release()


def _storages(nodes: Iterable[Node], half: str) -> dict[int, Storage]:
    blobs = (blob for node in nodes for blob in (*node.bottoms, *node.tops))
    return {id(getattr(blob, half)): getattr(blob, half) for blob in blobs}
