"""Mean-field inference in the fully connected CRF."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.crf.gathers import Gathers
from pydeeplab.crf.lattice import PermutohedralLattice
from pydeeplab.crf.memory import Memory
from pydeeplab.crf.strips import Strips
from pydeeplab.crf.terms import Grid, Term

__all__ = ["MeanField"]

_LANES = 8
_GROUP = 4


def _padded(classes: int) -> int:
    """Values per row: whole vectors (half of one for a few classes)."""
    return _LANES // 2 if classes <= _LANES // 2 else -(-classes // _LANES) * _LANES


class MeanField:
    """Probabilities of classes at the pixels of a region, updated until they agree with their neighbours.

    Q is proportional to exp(score_l(i) - sum_k w_k sum_l' mu_k(l, l') (K_k Q_l')(i)), with Gaussian kernels K_k over
    positions, or positions and colours. Add terms, `start`, then `step` as often as wanted.

    Parameters
    ----------
    height, width : int
        Size of the region, in pixels.
    classes : int
        Number of classes, at least 1.
    backend : {"cpu", "reference", "cuda", "cuda-emulation"} or Backend
        Where the arithmetic runs.
    dtype
        float32, or float64 on the reference backend.
    memory
        Buffers to use, of the same backend; a later `MeanField` with the same memory replaces this one.

    Notes
    -----
    Source: Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", 2011,
    algorithm 1.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        backend: str | Backend = "cpu",
        dtype: Any = np.float32,
        memory: Memory | None = None,
    ):
        self.height, self.width, self.classes = height, width, classes
        self._backend, self._dtype = get_backend(backend), np.dtype(dtype)
        self._grid = Grid(height * width, 0, self._dtype, self._backend, memory or Memory(self._backend))
        self._terms: list[Term] = []
        self._messages: Strips | Gathers | None = None

    def add_term(
        self,
        weight: float,
        xy_std: float,
        image: NDArray[Any] | None = None,
        band_std: NDArray[Any] | None = None,
        *,
        normalization: str = "after",
        compatibility: NDArray[Any] | None = None,
    ) -> None:
        """Add a Gaussian kernel over positions, and over the bands of an image if one is given.

        Parameters
        ----------
        weight : float
            w; with a Potts model what a pixel gains when all its neighbours share its class.
        xy_std : float
            Standard deviation of positions, in pixels.
        image : (B, H, W) array, optional
            At least as large as the region, which is its top left part.
        band_std : (B,) array, optional
            Standard deviation of each band, in its units.
        normalization : {"after", "symmetric", "before", "none"}
            See `pydeeplab.crf.NORMALIZATIONS`.
        compatibility : (C, C) array, optional
            mu(l, l'), the penalty of class l for a neighbour of class l'; None for a Potts model.
        """
        grid = self._grid
        dimension = 2 + (0 if image is None else len(image))
        features = grid.array("features", -(-grid.pixels // _GROUP) * _GROUP, dimension)
        planes, stds = (None if a is None else self._backend.from_host(a) for a in (image, band_std))
        self._backend.kernels.lattice_features(planes, stds, features, self.height, self.width, xy_std)
        lattice = PermutohedralLattice(
            features, backend=self._backend, points=grid.pixels, memory=grid.memory.scope(f"kernel {len(self._terms)}")
        )
        matrix = None
        if compatibility is not None:
            matrix = self._backend.from_host(np.ascontiguousarray(-compatibility, self._dtype))
        self._terms.append(Term(lattice, grid.rows, normalization, weight, matrix))
        grid.rows += lattice.vertices + 1
        self._messages = None

    def set_weight(self, index: int, weight: float) -> None:
        """Give a term another weight, from the next `start` on; its lattice stays."""
        self._terms[index].weight = weight

    def remove_terms(self, first: int) -> None:
        """Remove the terms from ``first`` on. Those before it keep their lattices."""
        if first < len(self._terms):
            self._grid.rows = self._terms[first].base
            del self._terms[first:]
            self._messages = None

    def start(self, scores: NDArray[Any]) -> None:
        """Take scores (C, H, W), larger for likelier classes, and make Q their softmax.

        ``scores`` may be larger than the region, which is its top left part.
        """
        if self._messages is None:
            self._messages = (Strips if self._backend.name == "cpu" else Gathers)(self._grid, self._terms)
        score = self._grid.array("score", self._grid.pixels, _padded(self.classes))
        self._backend.kernels.crf_pack(self._backend.from_host(scores), score, self.height, self.width)
        self._messages.start(score)

    def step(self) -> None:
        """One mean-field iteration: all pixels at once."""
        assert self._messages
        self._messages.step()

    def read(self, out: NDArray[Any], *, log: bool = False) -> None:
        """Write Q, or the logarithm of it and at least FLT_MIN, to ``out`` (C, H, W); zero outside the region."""
        assert self._messages
        self._backend.kernels.crf_unpack(self._messages.beliefs(), out, self.height, self.width, log)
