"""What a machine can do at most, to set a layer's rates against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend

__all__ = ["Rates"]

SIDE = 1536
"""Of the square matrices that are multiplied."""

FLOATS = 2**24
"""Elements of the arrays that are copied: far more than a cache holds."""


@dataclass
class Rates:
    """Multiply-adds per second of a large matrix product by BLAS, and bytes per second, read and written, of a copy.

    Layers can exceed them: Winograd's and Strassen's algorithms need fewer multiply-adds than they are credited with,
    and what stays in a cache moves faster than a copy of the memory.

    Examples
    --------
    >>> from pydeeplab.backend import get_backend
    >>> rates = Rates()
    >>> rates.measure(get_backend("cpu"))
    >>> rates.multiply_adds > 1e6 and rates.bytes > 1e6
    True
    """

    multiply_adds: float = 0.0
    bytes: float = 0.0

    def measure(self, backend: Backend, repeats: int = 3) -> None:
        """Keep the best of ``repeats`` and of earlier measurements, on as many threads as are set."""
        kernels = backend.kernels
        a, b, c = (_ones(backend, SIDE * SIDE).reshape(SIDE, SIDE) for _ in range(3))
        x, y = _ones(backend, FLOATS), _ones(backend, FLOATS)
        for _ in range(repeats):
            start = backend.mark()
            kernels.inner_product_forward(a, b, None, c, True)
            middle = backend.mark()
            kernels.axpby(x, y, 1.0, 0.0)
            end = backend.mark()
            self.multiply_adds = max(self.multiply_adds, SIDE**3 / backend.seconds_between(start, middle))
            self.bytes = max(self.bytes, 2 * x.nbytes / backend.seconds_between(middle, end))

    def share(self, multiply_adds: int, nbytes: int, seconds: float) -> float:
        """The share of the machine's rate that a layer reaches: of multiply-adds if it has any, of bytes otherwise."""
        if multiply_adds:
            return multiply_adds / seconds / self.multiply_adds
        return nbytes / seconds / self.bytes


def _ones(backend: Backend, count: int) -> NDArray[Any]:
    return backend.from_host(np.ones(count, np.float32))
