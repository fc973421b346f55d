"""Sums over channels: accurate on large maps, and the same for any number of threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pydeeplab.backend import get_backend

KERNELS = get_backend("cpu").kernels


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of OpenMP threads for one test."""
    try:
        openmp = ctypes.CDLL("libgomp.so.1")
    except OSError:
        pytest.skip("GNU's OpenMP library cannot be loaded by name here")
    before = openmp.omp_get_max_threads()
    yield openmp.omp_set_num_threads
    openmp.omp_set_num_threads(before)


@pytest.mark.parametrize("shape", [(1, 3, 40_001), (5, 7, 1000), (300, 90, 1), (2, 1, 9000)])
def test_threads_do_not_change_a_bit(shape: tuple[int, int, int], set_threads: Callable[[int], None]) -> None:
    random = np.random.default_rng(0)
    x, dy = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    found = []
    for threads in (1, 2, 3, 8):
        set_threads(threads)
        sums = [np.zeros(shape[1], np.float32) for _ in range(5)]
        KERNELS.channel_statistics(x, sums[0], sums[1])
        KERNELS.channel_scale_gradient(x, dy, sums[2])
        KERNELS.channel_bias_gradient(dy, sums[3])
        KERNELS.prelu_slope_gradient(x, dy, sums[4])
        found.append(np.array(sums))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_large_maps_lose_nothing() -> None:
    """A million values that single precision could not add up: the mean of 1e4 and its variance of 1/3."""
    x = np.random.default_rng(0).uniform(1e4 - 1, 1e4 + 1, (1, 1, 1_000_003)).astype(np.float32)
    mean, variance = np.empty(1, np.float32), np.empty(1, np.float32)
    KERNELS.channel_statistics(x, mean, variance)
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(variance, x.var(dtype=np.float64), rtol=1e-6)
    total = np.zeros(1, np.float32)
    KERNELS.channel_bias_gradient(x, total)
    np.testing.assert_allclose(total, x.sum(dtype=np.float64), rtol=1e-7)
