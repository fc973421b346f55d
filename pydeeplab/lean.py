"""Running a net for its outputs only: blobs share memory as their lifetimes allow, and layers are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from pydeeplab.backend import Backend
from pydeeplab.blob import Blob, MemoryPool, Storage
from pydeeplab.chains import Merged
from pydeeplab.lockstep import in_lockstep
from pydeeplab.merged import merge, overwritable
from pydeeplab.node import Node

__all__ = ["LeanPlan"]


class LeanPlan:
    """The merged nodes, the pool their blobs draw on, and which memory is free after which node.

    Parameters
    ----------
    kept : blobs
        Never given up, nor are the tops of layers without bottoms (inputs and data).
    """

    def __init__(self, nodes: Sequence[Node], kept: Sequence[Blob], backend: Backend, dtype: np.dtype[Any]):
        for node in nodes:
            node.layer.need_backward = False
        self._pool = MemoryPool(backend, dtype)
        self._sources = [n for n in nodes if not n.bottoms]
        pinned = {id(b.data_storage) for b in (*kept, *(t for n in self._sources for t in n.tops))}
        merged = merge(nodes, pinned)
        self.nodes = merged if backend.on_device else in_lockstep(merged)
        storages: dict[int, Storage] = {}
        last: dict[int, int] = {}
        for index, step in enumerate(self.nodes):
            for blob in (*step.bottoms, *step.within, *step.tops):
                storages[id(blob.data_storage)] = blob.data_storage
                last[id(blob.data_storage)] = index
        self._pinned = [s for key, s in storages.items() if key in pinned]
        self._released: list[list[Storage]] = [[] for _ in self.nodes]
        for key, index in last.items():
            if key not in pinned:
                storages[key].pool = self._pool
                self._released[index].append(storages[key])
        self._donors = [_donors(step, released) for step, released in zip(self.nodes, self._released, strict=True)]
        self._shapes: list[tuple[int, ...]] = []
        self._is_running = False

    @property
    def sources(self) -> list[Blob]:
        """The tops of layers without bottoms."""
        return [top for node in self._sources for top in node.tops]

    @property
    def results(self) -> list[Blob]:
        """Blobs that are computed and not given up."""
        pinned = {id(s) for s in self._pinned}
        found = {id(top.data_storage): top for step in self.nodes if step.bottoms for top in step.tops}
        return [top for key, top in found.items() if key in pinned]

    def memory(self) -> list[Any]:
        """All memory that a forward uses, to hold on to it between two."""
        return [*self._pool.pieces(), *(s.memory(0) for s in self._pinned)]

    @property
    def nbytes(self) -> int:
        """Bytes of activations that one forward needs."""
        return sum(s.capacity * s.dtype.itemsize for s in self._pinned) + self._pool.nbytes

    def steps(self) -> Iterator[Node | Merged]:
        """The nodes in running order; after each, the memory that it was the last to use is handed on."""
        shapes = [top.shape for node in self._sources for top in node.tops]
        if self._is_running:
            self._forget()
        if shapes != self._shapes:
            self._pool.clear()
            self._shapes = shapes
        self._is_running = True
        for node, donors, released in zip(self.nodes, self._donors, self._released, strict=True):
            for top, donor in donors:
                top.take_over(donor)
            yield node
            for _, donor in donors:
                donor.forget()
            for storage in released:
                storage.release()
        self._is_running = False

    def _forget(self) -> None:
        """Begin anew after a run that an error ended: memory may have two owners."""
        for storage in chain.from_iterable(self._released):
            storage.forget()
        self._pool.clear()


def _donors(step: Node | Merged, released: Sequence[Storage]) -> list[tuple[Storage, Storage]]:
    """Tops, and for each the memory of a term of its sum, read there for the last time, that it may be written into."""
    free = {id(storage) for storage in released}
    found = []
    for blob, terms in overwritable(step):
        top = blob.data_storage
        donor = next((t.data_storage for t in terms if id(t.data_storage) in free and t.data_storage is not top), None)
        if donor and top.pool is not None:
            found.append((top, donor))
    return found
