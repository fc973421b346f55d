"""Gaussian filtering in many dimensions with the permutohedral lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.crf.memory import Memory
from pydeeplab.errors import DataError, UsageError, did_you_mean

__all__ = ["MAX_DIMENSION", "NORMALIZATIONS", "PermutohedralLattice"]

MAX_DIMENSION = 31
"""The largest number of features of a point."""

NORMALIZATIONS = ("after", "symmetric", "before", "none")
"""How a filter K is normalised by its row sums D: after (D^-1 K, DeepLab's), symmetric (D^-1/2 K D^-1/2), before
(K D^-1), none."""

_GROUP = 4
_MOST_CORNERS = 2**31 - 64  # 32-bit places, and the kernels look a few ahead


class PermutohedralLattice:
    """Points in feature space, prepared for filtering: y_i = sum_j exp(-|f_i - f_j|^2 / 2) x_j, approximately.

    The space is cut into simplices; values are splatted to the vertices around each point, blurred along the axes of
    the lattice and sliced back, in time linear in the number of points. Building is done once; every `filter` after it
    reuses the vertices. Normalised results are within a few hundredths of those of exact Gaussians (for values in
    0..1), raw sums only within a factor of two. The lattice does not move with the points: shifting all features, or
    changing their order, changes results by as much.

    The number of points is rounded up to a multiple of four with points at the origin that carry no value, as the
    vectorised implementation of Krähenbühl and Koltun does, which Caffe's DenseCRF and published results come from:
    their vertices let values through.

    Parameters
    ----------
    features : (N, d) array
        A point per row, in units of the Gaussian's standard deviation; d from 1 to 31. Coordinates must stay below
        about 30000 / d.
    backend : {"cpu", "reference", "cuda", "cuda-emulation"} or Backend
        Where the arithmetic runs; in float32, but for reference in the type of ``features``.
    points : int, optional
        Only the first so many rows carry values; nothing is rounded up then, and ``features`` may be an array of the
        backend.
    memory
        Where the arrays come from, of the same backend. A second lattice in the same memory replaces the first.

    Raises
    ------
    DataError
        The features are no (N, d) array of finite numbers, or reach too far.

    Notes
    -----
    Source: Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", 2010.

    Examples
    --------
    >>> lattice = PermutohedralLattice(np.linspace(0, 3, 40).reshape(20, 2))
    >>> y = lattice.filter(np.ones((20, 1)), "after")
    >>> bool(np.allclose(y, 1))
    True
    """

    def __init__(
        self,
        features: Any,
        *,
        backend: str | Backend = "cpu",
        points: int | None = None,
        memory: Memory | None = None,
    ):
        self._backend = get_backend(backend)
        self._memory = memory or Memory(self._backend)
        array: Any = features if points is not None and hasattr(features, "dtype") else np.asarray(features)
        dtype = array.dtype if array.dtype in self._backend.dtypes else np.dtype(np.float32)
        if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_DIMENSION:
            raise DataError(
                f"features must be an (N, d) array with d from 1 to {MAX_DIMENSION}, got shape {array.shape}"
            )
        if points is None:
            points = len(array)
            array = np.concatenate([array, np.zeros((-points % _GROUP, array.shape[1]), array.dtype)])
        if isinstance(array, np.ndarray):
            array = self._backend.from_host(np.ascontiguousarray(array, dtype))
        if array.shape[0] * (array.shape[1] + 1) > _MOST_CORNERS:
            raise DataError(f"{len(array)} points are too many for one lattice; cut the image into tiles")
        self.points, self.dimension, self.dtype = points, array.shape[1], dtype
        self._build(array)

    def _build(self, features: NDArray[Any]) -> None:
        rows, corners = len(features), self.dimension + 1
        new, kernels = self._memory.get, self._backend.kernels
        key = self._memory.get("key", (rows * corners, self.dimension), np.int16)
        vertex, weight = new("vertex", (rows, corners), np.int32), new("weight", (rows, corners), self.dtype)
        count = new("count", (1,), np.int32)
        try:
            kernels.lattice_embed(features, key, vertex, weight, count)
        except (OverflowError, DataError):
            raise DataError(_reach(self._backend.to_host(features))) from None
        self.vertices = int(self._backend.to_host(count)[0])
        self.neighbour = new("neighbour", (corners, self.vertices, 2), np.int32)
        kernels.lattice_neighbours(key[: self.vertices], self.neighbour)
        self.vertex, self.weight = vertex[: self.points], weight[: self.points]
        self._start = new("start", (self.vertices + 1,), np.int32)
        self._point = new("point", (self.points * corners,), np.int32)
        self._share = new("share", (self.points * corners,), self.dtype)
        self._scale: NDArray[Any] | None = None
        self._sorted = False
        self._sums: NDArray[Any] | None = None

    @property
    def factor(self) -> float:
        """What sliced values are multiplied by: 1 / (1 + 2^-d)."""
        return float(1 / (1 + 2.0**-self.dimension))

    def kernel_sums(self) -> NDArray[Any]:
        """K 1: for every point the sum of its Gaussian over all points (N,)."""
        return self._backend.to_host(self._sliced_sums()) * self.dtype.type(self.factor)

    def _sliced_sums(self) -> NDArray[Any]:
        """The sums before `factor`, where the backend has its arrays."""
        if self._sums is None:
            self.scale_splat(None)
            ones = self._memory.get("ones", (self.points, 1), self.dtype)
            self._sums = ones.reshape(self.points)
            self._backend.kernels.fill(self._sums, 1.0)
            values = self._memory.get("sums", (self.vertices + 1, 1), self.dtype)
            self.gather(ones, values, self._memory.get("sums other", values.shape, self.dtype))
            self.slice_sums(values)
        return self._sums

    def slice_sums(self, values: NDArray[Any]) -> None:
        """Take the sums from vertices' values (vertices + 1, 1), which ones at all points have been gathered into."""
        ones = self._memory.get("ones", (self.points, 1), self.dtype)
        self._backend.kernels.lattice_slice(values, self.vertex, self.weight, ones)
        self._sums = ones.reshape(self.points)

    def scales(self, normalization: str) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        """What a point's value is multiplied by before splatting and after slicing (None: nothing), each (N,).

        They are where the backend has its arrays, and are overwritten by the next call.
        """
        if normalization not in NORMALIZATIONS:
            raise UsageError(
                f"unknown normalization '{normalization}'; known are {', '.join(NORMALIZATIONS)}."
                f"{did_you_mean(normalization, NORMALIZATIONS)}"
            )
        if normalization == "none":
            return None, None
        scale = self._memory.get("scale", (self.points,), self.dtype)
        self._backend.kernels.lattice_scale(self._sliced_sums(), scale, self.factor, normalization == "symmetric")
        if normalization == "symmetric":
            return scale, scale
        return (None, scale) if normalization == "after" else (scale, None)

    def scale_splat(self, scale: NDArray[Any] | None) -> None:
        """Let `gather` multiply the points' values by ``scale`` (N,) from now on."""
        self._sorted &= scale is self._scale
        self._scale = scale

    def gather(self, x: NDArray[Any], values: NDArray[Any], other: NDArray[Any], *, adjoint: bool = False) -> None:
        """Splat rows ``x`` (N, P) and blur them into ``values`` (vertices + 1, P), with as much scratch ``other``.

        With ``adjoint`` the axes are blurred in reverse order.
        """
        if not self._sorted:
            self._backend.kernels.lattice_transpose(
                self.vertex, self.weight, self._scale, self._start, self._point, self._share
            )
            self._sorted = True
        neighbour = self.neighbour
        if adjoint:
            neighbour = self._memory.get("reversed", neighbour.shape, neighbour.dtype)
            for axis in range(len(neighbour)):
                neighbour[axis] = self.neighbour[len(neighbour) - 1 - axis]
        self._backend.kernels.lattice_gather(x, self._start, self._point, self._share, neighbour, values, other)

    def filter(self, values: ArrayLike, normalization: str = "none", *, adjoint: bool = False) -> NDArray[Any]:
        """Filter values at the points.

        Parameters
        ----------
        values : (N, C) or (N,) array
        normalization : {"none", "after", "before", "symmetric"}
            See `NORMALIZATIONS`.
        adjoint : bool
            Apply the transpose of the filter, which passes gradients back: the axes are blurred in reverse order, and
            what scaled the results scales the values instead.

        Returns
        -------
        array of the same shape

        Raises
        ------
        DataError
            The values are not one row per point.
        """
        x = np.ascontiguousarray(values, self.dtype)
        if x.ndim not in (1, 2) or len(x) != self.points:
            raise DataError(f"values must have one row for each of {self.points} points, got shape {x.shape}")
        rows = x.reshape(self.points, -1)
        before, after = self.scales(normalization)
        if adjoint:
            before, after = after, before
        self.scale_splat(before)
        shape = (self.vertices + 1, rows.shape[1])
        vertices = self._memory.get("values", shape, self.dtype)
        other = self._memory.get("other", shape, self.dtype)
        self.gather(self._backend.from_host(rows), vertices, other, adjoint=adjoint)
        sliced = self._backend.empty(rows.size, self.dtype).reshape(rows.shape)
        self._backend.kernels.lattice_slice(vertices, self.vertex, self.weight, sliced)
        result = self._backend.to_host(sliced)
        result *= self.dtype.type(self.factor)
        if after is not None:
            result *= self._backend.to_host(after)[:, None]
        return result.reshape(x.shape)


def _reach(features: NDArray[Any]) -> str:
    """Why features do not fit the lattice."""
    if not np.isfinite(features).all():
        row, column = np.argwhere(~np.isfinite(features))[0]
        return f"feature {column} of point {row} is {features[row, column]}; features must be finite"
    row, column = np.unravel_index(int(np.abs(features).argmax()), features.shape)
    return (
        f"feature {column} of point {row} is {features[row, column]:g} standard deviations from zero, beyond the "
        "lattice's 16-bit coordinates; use a larger standard deviation, or features closer to zero"
    )
