"""Running a net for its outputs only: blobs share memory as their lifetimes allow, and layers are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pydeeplab.backend import Backend
from pydeeplab.blob import Blob, MemoryPool, Storage
from pydeeplab.merged import Merged, merge, overwritable
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
        self.nodes = merge(nodes, pinned)
        storages: dict[int, Storage] = {}
        last: dict[int, int] = {}
        for index, step in enumerate(self.nodes):
            within = step.within if isinstance(step, Merged) else ()
            for blob in (*step.bottoms, *within, *step.tops):
                storages[id(blob.data_storage)] = blob.data_storage
                last[id(blob.data_storage)] = index
        self._pinned = [s for key, s in storages.items() if key in pinned]
        self._released: list[list[Storage]] = [[] for _ in self.nodes]
        for key, index in last.items():
            if key not in pinned:
                storages[key].pool = self._pool
                self._released[index].append(storages[key])
        self._donors = [_donor(step, released) for step, released in zip(self.nodes, self._released, strict=True)]
        self._shapes: list[tuple[int, ...]] = []

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
        if shapes != self._shapes:
            self._pool.clear()
            self._shapes = shapes
        for node, donor, released in zip(self.nodes, self._donors, self._released, strict=True):
            if donor:
                node.tops[0].data_storage.take_over(donor)
            yield node
            if donor:
                donor.forget()
            for storage in released:
                storage.release()


def _donor(step: Node | Merged, released: Sequence[Storage]) -> Storage | None:
    """The memory of a term of a sum, read there for the last time, which the sum may be written into."""
    top = step.tops[0].data_storage if step.tops else None
    if top is None or top.pool is None:
        return None
    terms = [blob.data_storage for blob in overwritable(step)]
    return next((s for s in terms if any(s is r for r in released) and s is not top), None)
