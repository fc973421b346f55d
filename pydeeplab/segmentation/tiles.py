"""Cutting a large image into overlapping tiles, and putting their scores together again, strip by strip."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import UsageError

__all__ = ["MERGES", "Merger", "Span", "Strip", "check_merge", "spans", "strips"]

MERGES = ("average", "centre")


@dataclass(frozen=True)
class Span:
    """One tile along one axis: where it begins and ends, and the part that is nearer to its centre than to others'."""

    start: int
    stop: int
    own_start: int
    own_stop: int


@dataclass(frozen=True, eq=False)
class Strip:
    """Finished rows of an image: the first of them, and their scores (C, h, W) float32."""

    start: int
    scores: NDArray[np.float32]

    @property
    def rows(self) -> slice:
        """Which rows of the image these are."""
        return slice(self.start, self.start + self.scores.shape[1])


def spans(size: int, tile: int, overlap: int, step: int = 1) -> list[Span]:
    """Tiles of length ``tile`` that cover 0..size with at least ``overlap`` in common, spread evenly.

    One span of the whole size if that is no longer than a tile. Tiles begin at multiples of ``step``, so that what a
    net computes on a grid of that step lies where it lies without tiles; the last one may then reach beyond the image,
    and its span is cut there.

    Raises
    ------
    UsageError
        The overlap is negative or leaves a tile no step of its own.
    """
    most = tile - step
    if not 0 <= overlap < tile or (size > tile and overlap > most):
        raise UsageError(f"tiles of {tile} pixels cannot overlap by {overlap}; give 0 to {max(most, 0)}")
    if size <= tile:
        return [Span(0, size, 0, size)]
    steps, stride = -(-(size - tile) // step), (tile - overlap) // step
    count = -(-steps // stride) + 1
    starts = [i * steps // (count - 1) * step for i in range(count)]
    borders = [0, *((a + tile + b) // 2 for a, b in itertools.pairwise(starts)), size]
    return [Span(s, min(s + tile, size), borders[i], borders[i + 1]) for i, s in enumerate(starts)]


def check_merge(merge: str) -> str:
    """The name of a merge, if it is one."""
    if merge not in MERGES:
        raise UsageError(f"unknown merge '{merge}'; known are {', '.join(MERGES)}")
    return merge


class Merger:
    """Puts tiles that come row by row together; only rows that further tiles may change are held.

    Parameters
    ----------
    height, width : int
        Size of the image.
    merge : {"average", "centre"}
        Where tiles overlap: the mean of their scores, weighted down towards a tile's edge, where its context ends; or
        the scores of the tile whose centre is nearest.
    """

    def __init__(self, height: int, width: int, merge: str):
        self._size, self._merge = (height, width), check_merge(merge)
        self._start = 0
        self._sums: NDArray[np.float32] | None = None
        self._weights: NDArray[np.float32] | None = None

    def add(self, row: Span, column: Span, scores: NDArray[Any]) -> None:
        """Take the scores (C, h, w) of one tile; tiles of one row follow each other."""
        if self._merge == "centre":
            sums, _ = self._room(len(scores), row.own_stop)
            own_rows = slice(row.own_start - row.start, row.own_stop - row.start)
            own_columns = slice(column.own_start - column.start, column.own_stop - column.start)
            sums[:, :, column.own_start : column.own_stop] = scores[:, own_rows, own_columns]
            return
        sums, total = self._room(len(scores), row.stop)
        window = np.s_[row.start - self._start : row.stop - self._start, column.start : column.stop]
        weights = np.outer(_ramp(row, self._size[0]), _ramp(column, self._size[1]))
        sums[:, *window] += scores * weights
        total[window] += weights

    def finish(self, stop: int) -> Strip:
        """Hand out the rows before ``stop``, which no further tile reaches; the rest is kept."""
        assert self._sums is not None
        assert self._weights is not None
        count = stop - self._start
        done = self._sums[:, :count]
        if self._merge == "average":
            done /= self._weights[:count]
        strip = Strip(self._start, np.ascontiguousarray(done))
        self._sums, self._weights = self._sums[:, count:].copy(), self._weights[count:].copy()
        self._start = stop
        return strip

    def _room(self, channels: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sums and weights of the rows that are held, those before ``stop`` among them."""
        if self._sums is None or self._weights is None:
            self._sums = np.zeros((channels, 0, self._size[1]), np.float32)
            self._weights = np.zeros((0, self._size[1]), np.float32)
        missing = stop - self._start - self._sums.shape[1]
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing), (0, 0)))
            self._weights = np.pad(self._weights, ((0, missing), (0, 0)))
        return self._sums, self._weights


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


def strips(
    rows: Sequence[Span], columns: Sequence[Span], merge: str, tile: Callable[[Span, Span], NDArray[Any]]
) -> Iterator[Strip]:
    """The merged scores of all tiles from top to bottom, each row of the image once.

    Parameters
    ----------
    rows, columns
        The tiles along both axes: see `spans`.
    merge : {"average", "centre"}
        See `Merger`.
    tile : function of two spans
        The scores (C, h, w) of a tile.

    Examples
    --------
    >>> whole = np.arange(40.0).reshape(1, 5, 8)
    >>> parts = strips(spans(5, 3, 1), spans(8, 4, 2), "centre", lambda r, c: whole[:, r.start:r.stop, c.start:c.stop])
    >>> np.concatenate([part.scores for part in parts], axis=1).tolist() == whole.tolist()
    True
    """
    merger = Merger(rows[-1].stop, columns[-1].stop, merge)
    ends = [row.own_stop for row in rows] if merge == "centre" else [*(row.start for row in rows[1:]), rows[-1].stop]
    for row, end in zip(rows, ends, strict=True):
        for column in columns:
            merger.add(row, column, tile(row, column))
        yield merger.finish(end)
