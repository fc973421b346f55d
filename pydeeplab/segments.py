"""Where a net's layers may be cut into segments whose forward pass can be done again during backward.

Recomputation (Chen et al. 2016, "Training deep nets with sublinear memory cost"): what only one segment reads is
forgotten after its forward pass and computed again before its backward pass. Nothing that a segment reads from outside
may change behind the first cut, so a cut never separates the layers that write one piece of memory.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pydeeplab.node import Node

__all__ = ["Segment", "choose_segments", "touched_by"]

TRIALS = 24
"""Sizes of segments that are tried."""


@dataclass(frozen=True)
class Segment:
    """Nodes ``begin`` to ``end`` (exclusive); ``repeated``: what is internal to them is computed twice."""

    begin: int
    end: int
    repeated: bool


def touched_by(nodes: Sequence[Node]) -> dict[int, tuple[int, int, int]]:
    """By the id of each storage of data: the first and last node that touch it, and the last that writes it."""
    found: dict[int, tuple[int, int, int]] = {}
    for index, node in enumerate(nodes):
        for blobs, writes in ((node.bottoms, False), (node.tops, True)):
            for blob in blobs:
                first, _, written = found.get(id(blob.data_storage), (index, index, index))
                found[id(blob.data_storage)] = first, index, index if writes else written
    return found


def _sizes(nodes: Sequence[Node]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for node in nodes:
        for blob in (*node.bottoms, *node.tops):
            key = id(blob.data_storage)
            sizes[key] = max(sizes.get(key, 0), blob.count)
    return sizes


class _Cuts:
    """How much memory is alive across a cut before each node, and whether a cut is possible there."""

    def __init__(self, nodes: Sequence[Node], needed: Container[int]):
        touched, sizes = touched_by(nodes), _sizes(nodes)
        count = len(nodes)
        self.possible = [True] * (count + 1)
        self.crossing = [0] * (count + 1)
        self.needed = [0] * count
        for key, (first, last, written) in touched.items():
            for cut in range(first + 1, last + 1):
                self.crossing[cut] += sizes[key]
                if cut <= written:
                    self.possible[cut] = False
            if key in needed:
                self.needed[last] += sizes[key]

    def split(self, begin: int, end: int, limit: int) -> list[int]:
        """Cuts of ``begin``..``end`` into pieces that need to keep at most ``limit``, where that can be."""
        cuts = [begin]
        while True:
            kept, best = 0, None
            for cut in range(cuts[-1] + 1, end):
                kept += self.needed[cut - 1]
                if self.possible[cut] and (best is None or self.crossing[cut] <= self.crossing[best]):
                    best = cut
                if kept > limit and best is not None:
                    break
            else:
                return [*cuts, end]
            cuts.append(best)

    def cost(self, cuts: Sequence[int]) -> int:
        """What is kept across all cuts, and within the largest piece."""
        inside = [sum(self.needed[a:b]) for a, b in pairwise(cuts)]
        return sum(self.crossing[cut] for cut in cuts[1:-1]) + max(inside)


def choose_segments(nodes: Sequence[Node], needed: Container[int]) -> list[Segment]:
    """Cut the layers such that little memory is needed; layers that cannot run twice are segments of their own.

    Parameters
    ----------
    needed : container
        Ids of the storages of data that some layer's backward reads.

    Returns
    -------
    list of Segment
        In order, covering all nodes. The last one that could be repeated is not: its backward pass comes at once.
    """
    cuts = _Cuts(nodes, needed)
    segments: list[Segment] = []
    begin = 0
    while begin < len(nodes):
        repeated = nodes[begin].layer.repeatable
        end = begin + 1
        while end < len(nodes) and nodes[end].layer.repeatable == repeated:
            end += 1
        while end < len(nodes) and not cuts.possible[end]:
            end += 1
            repeated = repeated and nodes[end - 1].layer.repeatable
        segments += _pieces(cuts, begin, end) if repeated else [Segment(begin, end, False)]
        begin = end
    last = max((i for i, segment in enumerate(segments) if segment.repeated), default=None)
    if last is not None:
        segments[last] = replace(segments[last], repeated=False)
    return segments


def _pieces(cuts: _Cuts, begin: int, end: int) -> list[Segment]:
    total = sum(cuts.needed[begin:end])
    tried = [cuts.split(begin, end, total * (trial + 1) // TRIALS**2 * (trial + 1)) for trial in range(TRIALS)]
    best = min(tried, key=cuts.cost)
    return [Segment(a, b, True) for a, b in pairwise(best)]
