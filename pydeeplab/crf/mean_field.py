"""Mean-field inference in the fully connected CRF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.crf.lattice import PermutohedralLattice
from pydeeplab.crf.memory import Memory

__all__ = ["MeanField"]

_LANES = 8
_GROUP = 4


def _padded(classes: int) -> int:
    """Values per row: whole vectors (half of one for a few classes)."""
    return _LANES // 2 if classes <= _LANES // 2 else -(-classes // _LANES) * _LANES


@dataclass
class _Term:
    """One Gaussian kernel: its lattice, where its vertices begin, and its compatibility (None: Potts)."""

    lattice: PermutohedralLattice
    base: int
    matrix: NDArray[Any] | None


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
        self._pixels, self._columns = height * width, _padded(classes)
        self._backend, self._dtype = get_backend(backend), np.dtype(dtype)
        self._memory = memory or Memory(self._backend)
        self._terms: list[_Term] = []
        self._joined: list[tuple[PermutohedralLattice, NDArray[Any] | None, float]] = []
        self._rows = 0

    def _array(self, name: str, *shape: int, dtype: Any = None) -> NDArray[Any]:
        return self._memory.get(name, shape, dtype or self._dtype)

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
        index = len(self._terms)
        dimension = 2 + (0 if image is None else len(image))
        features = self._array("features", -(-self._pixels // _GROUP) * _GROUP, dimension)
        planes, stds = (None if a is None else self._backend.from_host(a) for a in (image, band_std))
        self._backend.kernels.lattice_features(planes, stds, features, self.height, self.width, xy_std)
        lattice = PermutohedralLattice(
            features, backend=self._backend, points=self._pixels, memory=self._memory.scope(f"kernel {index}")
        )
        before, after = lattice.scales(normalization)
        lattice.scale_splat(before)
        matrix = None
        if compatibility is not None:
            matrix = self._backend.from_host(np.ascontiguousarray(-compatibility, self._dtype))
        self._terms.append(_Term(lattice, self._rows, matrix))
        self._joined.append((lattice, after, weight * lattice.factor))
        self._rows += lattice.vertices + 1

    def set_weight(self, index: int, weight: float) -> None:
        """Give a term another weight, from the next `start` on; its lattice stays."""
        lattice, scale, _ = self._joined[index]
        self._joined[index] = (lattice, scale, weight * lattice.factor)

    def remove_terms(self, first: int) -> None:
        """Remove the terms from ``first`` on. Those before it keep their lattices."""
        if first < len(self._terms):
            self._rows = self._terms[first].base
            del self._terms[first:], self._joined[first:]

    def _join(self) -> None:
        """One table of all kernels' vertices, with the weights of their messages."""
        columns = sum(lattice.dimension + 1 for lattice, _, _ in self._joined)
        self._vertex = self._array("vertex", self._pixels, columns, dtype=np.int32)
        self._weight = self._array("weight", self._pixels, columns)
        at = 0
        for term, (lattice, scale, factor) in zip(self._terms, self._joined, strict=True):
            self._backend.kernels.crf_join(
                lattice.vertex, lattice.weight, scale, self._vertex, self._weight, at, term.base, factor
            )
            at += lattice.dimension + 1

    def start(self, scores: NDArray[Any]) -> None:
        """Take scores (C, H, W), larger for likelier classes, and make Q their softmax.

        ``scores`` may be larger than the region, which is its top left part.
        """
        self._join()
        self._score = self._array("score", self._pixels, self._columns)
        self._q = self._array("q", self._pixels, self._columns)
        self._values = self._array("values", self._rows, self._columns)
        most = max((term.lattice.vertices + 1 for term in self._terms), default=0)
        self._other = self._array("other", most, self._columns)
        kernels = self._backend.kernels
        kernels.crf_pack(self._backend.from_host(scores), self._score, self.height, self.width)
        nowhere, nothing = self._array("none", self._pixels, 0, dtype=np.int32), self._array("none", self._pixels, 0)
        kernels.crf_update(self._score, nowhere, nothing, self._values, self._q)

    def step(self) -> None:
        """One mean-field iteration: all pixels at once."""
        for term in self._terms:
            rows = term.lattice.vertices + 1
            values = self._values[term.base : term.base + rows]
            term.lattice.gather(self._q, values, self._other[:rows])
            if term.matrix is not None:
                self._backend.kernels.crf_mix(term.matrix, values)
        self._backend.kernels.crf_update(self._score, self._vertex, self._weight, self._values, self._q)

    def read(self, out: NDArray[Any], *, log: bool = False) -> None:
        """Write Q, or the logarithm of it and at least FLT_MIN, to ``out`` (C, H, W); zero outside the region."""
        self._backend.kernels.crf_unpack(self._q, out, self.height, self.width, log)
