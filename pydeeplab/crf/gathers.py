"""Mean-field iterations on any backend: every vertex gathers the probabilities of its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.crf.terms import Grid, Term, join

__all__ = ["Gathers"]


class Gathers:
    """Iterations that keep the probabilities of all pixels, one kernel of the CRF after the other."""

    def __init__(self, grid: Grid, terms: Sequence[Term]):
        self._grid, self._terms = grid, terms
        corners = sum(term.lattice.dimension + 1 for term in terms)
        self._vertex = grid.array("vertex", grid.pixels, corners, dtype=np.int32)
        self._weight = grid.array("weight", grid.pixels, corners)

    def start(self, score: NDArray[Any]) -> None:
        """Take scores (pixels, columns) and make the probabilities their softmax."""
        grid, columns, factors = self._grid, score.shape[1], []
        for term in self._terms:
            before, after = term.lattice.scales(term.normalization)
            term.lattice.scale_splat(before)
            factors.append((after, term.weight * term.lattice.factor))
        join(grid, self._terms, factors, self._vertex, self._weight)
        self._score = score
        self._q = grid.array("q", *score.shape)
        self._values = grid.array("values", grid.rows, columns)
        self._other = grid.array("other", max((t.lattice.vertices + 1 for t in self._terms), default=0), columns)
        nowhere, nothing = grid.array("none", grid.pixels, 0, dtype=np.int32), grid.array("none", grid.pixels, 0)
        grid.backend.kernels.crf_update(score, nowhere, nothing, self._values, self._q)

    def step(self) -> None:
        """One iteration."""
        kernels = self._grid.backend.kernels
        for term in self._terms:
            values = self._values[term.rows]
            term.lattice.gather(self._q, values, self._other[: len(values)])
            if term.matrix is not None:
                kernels.crf_mix(term.matrix, values)
        kernels.crf_update(self._score, self._vertex, self._weight, self._values, self._q)

    def beliefs(self) -> NDArray[Any]:
        """The probabilities (pixels, columns)."""
        return self._q
