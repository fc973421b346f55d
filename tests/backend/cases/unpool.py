"""Cases of the kernels that put pooled values back."""

from collections.abc import Callable
from typing import Any

from tests.support.kernels import Arguments, Case

SHAPES = [
    ("one", (1, 1, 1, 1), (1, 1)),
    ("small", (2, 3, 4, 5), (8, 9)),
    ("large", (2, 16, 17, 23), (35, 46)),
    ("empty", (0, 2, 3, 3), (6, 6)),
]


def _mask(r: Arguments, pooled: tuple[int, ...], size: tuple[int, int]) -> Any:
    return r.integers(0, size[0] * size[1], *pooled)


def _forward(pooled: tuple[int, ...], size: tuple[int, int]) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.real(*pooled), _mask(r, pooled, size), r.out(*pooled[:2], *size)]


def _backward(pooled: tuple[int, ...], size: tuple[int, int]) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.real(*pooled[:2], *size), _mask(r, pooled, size), r.out(*pooled)]


def _positions(n: int) -> Callable[[Arguments], list[Any]]:
    return lambda r: [r.int32(-1, 2**24, n), r.out(n)]


CASES: list[Case] = [
    *(Case("unpool_forward", _forward(p, s), label=label) for label, p, s in SHAPES),
    *(Case("unpool_backward", _backward(p, s), label=label) for label, p, s in SHAPES),
    *(Case("pool_mask", _positions(n), label=str(n)) for n in (0, 1, 77, 40000)),
]
