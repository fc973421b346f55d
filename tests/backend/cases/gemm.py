"""Cases of the fully connected layer's kernels."""

from collections.abc import Callable
from typing import Any

from tests.support.kernels import Arguments, Case

SIZES = [("one", 1, 1, 1), ("vector", 1, 300, 700), ("batch", 5, 33, 17), ("tall", 600, 30, 3), ("large", 64, 256, 200)]


def _weights(r: Arguments, n: int, k: int, transpose: bool) -> Any:
    return r.real(k, n) if transpose else r.real(n, k)


def _forward(m: int, n: int, k: int, transpose: bool, bias: bool) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.real(m, k), _weights(r, n, k, transpose), r.real(n) if bias else None, r.out(m, n), transpose]


def _backward_data(m: int, n: int, k: int, transpose: bool) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.real(m, n), _weights(r, n, k, transpose), r.out(m, k), transpose]


def _backward_weights(m: int, n: int, k: int, transpose: bool) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.real(m, k), r.real(m, n), _weights(r, n, k, transpose), transpose]


CASES: list[Case] = [
    case
    for label, m, n, k in [*SIZES, ("empty-batch", 0, 4, 5)]
    for transpose in (False, True)
    for name in [f"{label}{'-transpose' if transpose else ''}"]
    for case in (
        Case("inner_product_forward", _forward(m, n, k, transpose, True), label=name),
        Case("inner_product_forward", _forward(m, n, k, transpose, False), label=f"{name}-no-bias"),
        Case("inner_product_backward_data", _backward_data(m, n, k, transpose), label=name),
        Case("inner_product_backward_weights", _backward_weights(m, n, k, transpose), label=name),
    )
]
