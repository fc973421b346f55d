"""The Gaussian kernels of a mean field, and their vertices in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pydeeplab.backend import Backend
from pydeeplab.crf.lattice import PermutohedralLattice
from pydeeplab.crf.memory import Memory

__all__ = ["Grid", "Term", "join"]


@dataclass
class Term:
    """One Gaussian kernel: its lattice, its normalisation and weight, and its compatibility (None: Potts).

    Its vertices begin at row ``base`` of those of all terms; the row after the last is zero.
    """

    lattice: PermutohedralLattice
    base: int
    normalization: str
    weight: float
    matrix: NDArray[Any] | None

    @property
    def rows(self) -> slice:
        """Where its vertices lie among those of all terms."""
        return slice(self.base, self.base + self.lattice.vertices + 1)


@dataclass
class Grid:
    """The pixels of a field, the rows of values of all its terms, and where its arrays come from."""

    pixels: int
    rows: int
    dtype: Any
    backend: Backend
    memory: Memory

    def array(self, name: str, *shape: int, dtype: Any = None) -> NDArray[Any]:
        """An array with undefined contents; earlier ones of this name may be overwritten."""
        return self.memory.get(name, shape, dtype or self.dtype)


def join(
    grid: Grid,
    terms: Sequence[Term],
    factors: Sequence[tuple[NDArray[Any] | None, float]],
    vertex: NDArray[Any],
    weight: NDArray[Any],
) -> None:
    """One table of the vertices of all terms, and their weights times a scale per pixel and a factor per term."""
    at = 0
    for term, (scale, factor) in zip(terms, factors, strict=True):
        lattice = term.lattice
        grid.backend.kernels.crf_join(lattice.vertex, lattice.weight, scale, vertex, weight, at, term.base, factor)
        at += lattice.dimension + 1
