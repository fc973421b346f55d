"""The permutohedral lattice against exact Gaussians, and what it must keep."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.crf import NORMALIZATIONS, PermutohedralLattice
from pydeeplab.errors import DataError, UsageError
from tests.crf.support import exact_kernel, normalized
from tests.support.backends import USABLE


def grid_features(bands: int, spread: float = 3.0) -> np.ndarray:
    random = np.random.default_rng(bands)
    y, x = np.divmod(np.arange(600), 30)
    colours = np.repeat(random.uniform(0, spread, (20, bands)), 30, axis=0) + random.normal(0, 0.3, (600, bands))
    return np.column_stack([x / 6, y / 6, colours])


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize(("bands", "bound"), [(0, 0.02), (1, 0.03), (3, 0.03), (4, 0.05)])
def test_normalised_filter_is_near_exact_gaussians(backend: str, bands: int, bound: float) -> None:
    features = grid_features(bands)
    values = np.random.default_rng(0).uniform(0, 1, (600, 3))
    got = PermutohedralLattice(features, backend=backend).filter(values, "after")
    exact = normalized(exact_kernel(features), "after") @ values
    assert np.abs(got - exact).max() < bound
    assert np.corrcoef(got.ravel(), exact.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("backend", USABLE)
def test_normalised_filters_keep_their_sums(backend: str) -> None:
    lattice = PermutohedralLattice(grid_features(3), backend=backend)
    sums = lattice.kernel_sums()
    ones, values = np.ones((600, 1)), np.random.default_rng(1).uniform(0, 1, (600, 2))
    np.testing.assert_allclose(lattice.filter(ones, "after"), 1, rtol=1e-5)
    np.testing.assert_allclose(lattice.filter(ones, "none")[:, 0], sums, rtol=1e-5)
    symmetric = lattice.filter(values, "symmetric")
    by_hand = lattice.filter(values / np.sqrt(sums)[:, None], "none") / np.sqrt(sums)[:, None]
    np.testing.assert_allclose(symmetric, by_hand, rtol=1e-4, atol=1e-6)
    before = lattice.filter(values, "before")
    np.testing.assert_allclose(before, lattice.filter(values / sums[:, None], "none"), rtol=1e-4, atol=1e-6)


def test_filter_is_linear_and_takes_any_number_of_columns() -> None:
    lattice = PermutohedralLattice(grid_features(3))
    values = np.random.default_rng(2).normal(size=(600, 37)).astype(np.float32)
    whole = lattice.filter(values)
    assert np.array_equal(whole[:, 5], lattice.filter(values[:, 5]))
    np.testing.assert_allclose(
        lattice.filter(2 * values[:, :9] + 1), 2 * whole[:, :9] + lattice.filter(np.ones((600, 1))), atol=1e-3
    )


@pytest.mark.parametrize("backend", USABLE)
def test_backends_agree_on_vertices(backend: str) -> None:
    features = grid_features(3).astype(np.float32)
    ours, reference = (PermutohedralLattice(features, backend=b) for b in (backend, "reference"))
    vertex, neighbour, weight = map(np.asarray, (ours.vertex, ours.neighbour, ours.weight))
    assert ours.vertices == reference.vertices
    assert np.array_equal(vertex, reference.vertex)
    assert np.array_equal(neighbour, reference.neighbour)
    np.testing.assert_allclose(weight.sum(axis=1), 1, rtol=1e-5)
    assert weight.min() > -1e-5


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_adjoint_filter_is_the_transpose(backend: str, normalization: str) -> None:
    lattice = PermutohedralLattice(grid_features(1), backend=backend)
    x, y = np.random.default_rng(4).normal(size=(2, 600, 3)).astype(np.float32)
    there, back = lattice.filter(x, normalization), lattice.filter(y, normalization, adjoint=True)
    assert (there * y).sum() == pytest.approx((x * back).sum(), rel=1e-3)


def test_rounding_up_to_four_points_adds_the_vertices_of_the_origin() -> None:
    features = np.full((5, 2), 10.0)
    alone, padded = PermutohedralLattice(features, points=5), PermutohedralLattice(features)
    assert padded.vertices == alone.vertices + 3
    assert padded.points == alone.points == 5
    assert PermutohedralLattice(np.full((8, 2), 10.0)).vertices == alone.vertices


def test_a_single_point_and_equal_points() -> None:
    assert PermutohedralLattice(np.zeros((1, 3))).filter([7.0], "after") == pytest.approx(7)
    y = PermutohedralLattice(np.ones((9, 2))).filter(np.arange(9.0), "after")
    np.testing.assert_allclose(y, 4, rtol=1e-5)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_known_normalisations(name: str) -> None:
    features = grid_features(0)
    values = np.random.default_rng(3).uniform(0, 1, 600)
    got = PermutohedralLattice(features).filter(values, name)
    exact = normalized(exact_kernel(features), name) @ values
    assert np.corrcoef(got, exact)[0, 1] > 0.95


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(5), r"\(N, d\) array with d from 1 to 31, got shape \(5,\)"),
        (np.zeros((5, 32)), "d from 1 to 31"),
        (np.zeros((5, 0)), "d from 1 to 31"),
        (np.array([[0.0, 0], [0, np.nan]]), "feature 1 of point 1 is nan"),
        (np.array([[0.0, 0], [np.inf, 0]]), "feature 0 of point 1 is inf"),
        (np.array([[0.0, 1e6]]), "feature 1 of point 0 is 1e.06 standard deviations from zero"),
    ],
)
def test_bad_features(backend: str, features: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message), np.errstate(invalid="ignore"):
        PermutohedralLattice(features, backend=backend)


def test_bad_values_and_normalisation() -> None:
    lattice = PermutohedralLattice(np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"one row for each of 4 points, got shape \(5, 2\)"):
        lattice.filter(np.zeros((5, 2)))
    with pytest.raises(UsageError, match="Did you mean 'symmetric'"):
        lattice.filter(np.zeros((4, 2)), "symetric")
