"""Cutting a large image into overlapping tiles, and putting their scores together again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import UsageError

__all__ = ["MERGES", "Merger", "Span", "grid", "spans"]

MERGES = ("average", "centre")


@dataclass(frozen=True)
class Span:
    """One tile along one axis: where it begins and ends, and the part that is nearer to its centre than to others'."""

    start: int
    stop: int
    own_start: int
    own_stop: int


def spans(size: int, tile: int, overlap: int) -> list[Span]:
    """Tiles of length ``tile`` that cover 0..size with at least ``overlap`` in common, spread evenly.

    One span of the whole size if that is no longer than a tile.

    Raises
    ------
    UsageError
        The overlap is negative or leaves a tile nothing of its own.
    """
    if not 0 <= overlap < tile:
        raise UsageError(f"tiles of {tile} pixels cannot overlap by {overlap}; give 0 to {tile - 1}")
    if size <= tile:
        return [Span(0, size, 0, size)]
    count = -(-(size - overlap) // (tile - overlap))
    starts = [round(i * (size - tile) / (count - 1)) for i in range(count)]
    borders = [0, *((a + tile + b) // 2 for a, b in itertools.pairwise(starts)), size]
    return [Span(s, s + tile, borders[i], borders[i + 1]) for i, s in enumerate(starts)]


class Merger:
    """Collects the scores of tiles into those of the whole image.

    Parameters
    ----------
    height, width : int
        Size of the image.
    merge : {"average", "centre"}
        Where tiles overlap: the mean of their scores, weighted down towards a tile's edge, where its context ends; or
        the scores of the tile whose centre is nearest.
    """

    def __init__(self, height: int, width: int, merge: str):
        if merge not in MERGES:
            raise UsageError(f"unknown merge '{merge}'; known are {', '.join(MERGES)}")
        self._size = (height, width)
        self._scores: NDArray[np.float32] | None = None
        self._weights = np.zeros((height, width), np.float32) if merge == "average" else None

    def add(self, rows: Span, columns: Span, scores: NDArray[Any]) -> None:
        """Take the scores (C, h, w) of one tile."""
        if self._scores is None:
            self._scores = np.zeros((len(scores), *self._size), np.float32)
        if self._weights is not None:
            window = np.s_[rows.start : rows.stop, columns.start : columns.stop]
            weights = np.outer(_ramp(rows, self._size[0]), _ramp(columns, self._size[1]))
            self._scores[:, *window] += scores * weights
            self._weights[window] += weights
            return
        own = np.s_[rows.own_start : rows.own_stop, columns.own_start : columns.own_stop]
        part = scores[
            :,
            rows.own_start - rows.start : rows.own_stop - rows.start,
            columns.own_start - columns.start : columns.own_stop - columns.start,
        ]
        self._scores[:, *own] = part

    def scores(self) -> NDArray[np.float32]:
        """The scores (C, H, W) of the whole image."""
        assert self._scores is not None
        if self._weights is not None:
            self._scores /= self._weights
        return self._scores


def _ramp(span: Span, size: int) -> NDArray[np.float32]:
    """Weights along one axis: falling to nearly 0 at the tile's ends, but not at the image's."""
    length = span.stop - span.start
    distance = np.arange(length) + 1
    ramp = np.full(length, length)
    if span.start > 0:
        ramp = np.minimum(ramp, distance)
    if span.stop < size:
        ramp = np.minimum(ramp, distance[::-1])
    return (ramp / length).astype(np.float32)


def grid(rows: list[Span], columns: list[Span]) -> Iterator[tuple[Span, Span]]:
    """All tiles, row by row."""
    return ((row, column) for row in rows for column in columns)
