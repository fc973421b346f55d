"""Matrix products by our own kernel, as where there is no cuBLAS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.blas import connect_blas
from tests.support.kernels import relative_error


@pytest.fixture
def own(backend: CudaBackend, name: str) -> Iterator[CudaBackend]:
    """The backend without a library for matrix products."""
    backend.library.call("blas_use", None, None)
    yield backend
    backend.blas = connect_blas(backend.library, name)


def real(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (5, 70, 33), (65, 21, 100), (130, 140, 20), (3, 200, 0)])
def test_inner_products(own: CudaBackend, m: int, n: int, k: int, transpose: bool) -> None:
    x, w, bias, dy = real(m, k), real(n, k), real(n), real(m, n)
    given = np.ascontiguousarray(w.T) if transpose else w
    y, dx, dw = np.full((m, n), np.nan, np.float32), np.full((m, k), np.nan, np.float32), given.copy()
    own.kernels.inner_product_forward(x, given, bias, y, transpose)
    own.kernels.inner_product_backward_data(dy, given, dx, transpose)
    own.kernels.inner_product_backward_weights(x, dy, dw, transpose)
    assert relative_error(y, x @ w.T + bias) <= 1e-5
    if k:
        assert relative_error(dx, dy @ w) <= 1e-5
        expected = w + dy.T @ x
        assert relative_error(dw, expected.T if transpose else expected) <= 1e-5


def test_batches(own: CudaBackend) -> None:
    """Images of a 1 x 1 convolution, and its groups."""
    for group in (1, 2):
        x, w, y = real(3, 70, 5, 9), real(66, 70 // group, 1, 1), np.empty((3, 66, 5, 9), np.float32)
        own.kernels.conv_forward(x, w, None, y, np.empty(0, np.float32), 1, 1, 0, 0, 1, 1, group)
        parts = [
            np.einsum("oi,nihw->nohw", part[:, :, 0, 0], image)
            for part, image in zip(np.split(w, group), np.split(x, group, axis=1), strict=True)
        ]
        assert relative_error(y, np.concatenate(parts, axis=1)) <= 1e-5
