"""Mean-field iterations on CPUs: strips of pixels pass their probabilities on without writing them down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.crf.terms import Grid, Term, join

__all__ = ["Strips"]

_LEAST_PIXELS = 4096
_MANY_PIXELS = 32768
_STRIPS = 16
_ZONE = 1024  # vertices


def _count(pixels: int) -> int:
    """How many strips, whatever the number of threads: enough for those of most machines, each worth a thread."""
    return max(1, min(pixels // _LEAST_PIXELS, max(_STRIPS, pixels // _MANY_PIXELS)))


class Strips:
    """Iterations in one sweep over the pixels, and one blur of all lattices.

    A sweep takes the messages from the vertices to a pixel, makes probabilities of them and adds those to the
    vertices again, while they are in registers. For the same result with any number of threads, each strip of pixels
    adds to rows of its own, one for each vertex around its pixels; blurring begins with the sum of a vertex's rows.
    The blur goes along chains of neighbours, in place, and passes vertices over that have none. Its work is divided
    into zones of vertices that lie close together, so that a thread finds most of them in its caches, where it left
    them.
    """

    def __init__(self, grid: Grid, terms: Sequence[Term]):
        self._grid, self._terms = grid, terms
        corners = sum(term.lattice.dimension + 1 for term in terms)
        self._vertex = grid.array("vertex", grid.pixels, corners, dtype=np.int32)
        self._weight = grid.array("weight", grid.pixels, corners)
        self._share = grid.array("share", grid.pixels, corners)
        join(grid, terms, [(None, 1.0)] * len(terms), self._vertex, self._share)
        self._lay_strips()
        self._lay_chains()
        self._scale()

    def _lay_strips(self) -> None:
        """The row of each pixel's corners in its strip, and the rows of each vertex."""
        grid = self._grid
        self._row = grid.array("row", *self._vertex.shape, dtype=np.int32)
        self._first = np.empty(_count(grid.pixels) + 1, np.int32)
        self._start = grid.array("start", grid.rows + 1, dtype=np.int32)
        self._member = grid.array("member", self._vertex.size, dtype=np.int32)
        grid.backend.kernels.crf_strips(self._vertex, self._row, self._first, self._start, self._member)

    def _lay_chains(self) -> None:
        """The chains of neighbours along every axis of every lattice, one after the other, by zones."""
        shapes = [term.lattice.neighbour.shape[:2] for term in self._terms]
        self._chain = self._grid.array("chain", sum(k * m for k, m in shapes), dtype=np.int32)
        zones = max(1, self._grid.rows // _ZONE)
        self._place = np.zeros((max((k for k, _ in shapes), default=0), len(shapes), zones + 1), np.int32)
        self._bounds = np.array([*(term.base for term in self._terms), self._grid.rows], np.int32)
        at = 0
        for index, (term, (k, m)) in enumerate(zip(self._terms, shapes, strict=True)):
            chain, place = self._chain[at : at + k * m].reshape(k, m), np.empty((k, zones + 1), np.int32)
            self._grid.backend.kernels.lattice_chains(term.lattice.neighbour, term.base, chain, place)
            self._place[:k, index] = place + (at + m * np.arange(k))[:, None]
            at += k * m

    def _scale(self) -> None:
        """What normalisations multiply the pixels' values by; the sums of all kernels come from one sweep of ones."""
        if any(term.normalization != "none" for term in self._terms):
            zeros, ones = self._grid.array("zeros", self._grid.pixels, 1), self._grid.array("ones", self._grid.rows, 1)
            self._grid.backend.kernels.fill(zeros.reshape(-1), 0.0)
            self._pass(zeros, None, ones)
            for term in self._terms:
                term.lattice.slice_sums(ones[term.rows])
        scales = [term.lattice.scales(term.normalization) for term in self._terms]
        if any(before is not None for before, _ in scales):
            join(self._grid, self._terms, [(before, 1.0) for before, _ in scales], self._vertex, self._share)
        self._after = [after for _, after in scales]

    def _pass(self, score: NDArray[Any], values: NDArray[Any] | None, to: NDArray[Any]) -> None:
        """The filtered probabilities, from messages ``values`` (None: no messages)."""
        kernels, sums = self._grid.backend.kernels, self._grid.array("work", int(self._first[-1]), score.shape[1])
        kernels.crf_sweep(score, self._vertex, self._weight, values, self._row, self._share, self._first, sums)
        kernels.crf_blur(sums, self._start, self._member, self._chain, self._place, self._bounds, to)

    def start(self, score: NDArray[Any]) -> None:
        """Take scores (pixels, columns) and make the probabilities their softmax."""
        factors = [
            (after, term.weight * term.lattice.factor) for term, after in zip(self._terms, self._after, strict=True)
        ]
        join(self._grid, self._terms, factors, self._vertex, self._weight)
        self._score, self._values = score, self._grid.array("values", self._grid.rows, score.shape[1])
        self._stepped = False

    def step(self) -> None:
        """One iteration."""
        self._pass(self._score, self._values if self._stepped else None, self._values)
        self._stepped = True
        for term in self._terms:
            if term.matrix is not None:
                self._grid.backend.kernels.crf_mix(term.matrix, self._values[term.rows])

    def beliefs(self) -> NDArray[Any]:
        """The probabilities (pixels, columns), in memory that the next iteration uses again."""
        grid, vertex, weight = self._grid, self._vertex, self._weight
        if not self._stepped:
            vertex, weight = grid.array("none", grid.pixels, 0, dtype=np.int32), grid.array("none", grid.pixels, 0)
        q = grid.array("work", *self._score.shape)
        grid.backend.kernels.crf_update(self._score, vertex, weight, self._values, q)
        return q
