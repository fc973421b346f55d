"""Cases for local response and L2 normalisation."""

from __future__ import annotations

from typing import Any

from pydeeplab.backend import get_backend
from tests.support.kernels import Arguments, Case

SHAPES = [(2, 9, 12), (1, 3, 1), (2, 1, 700), (1, 96, 1025), (1, 2, 2), (2, 0, 3)]
"""As items x channels x positions, or as planes x height x width."""


def forward(region: str, shape: tuple[int, ...], size: int, alpha: float, beta: float, k: float) -> Case:
    def make(r: Arguments) -> list[Any]:
        return [r.real(*shape), r.out(*shape), r.out(*shape), size, alpha, beta, k]

    return Case(f"lrn_{region}_forward", make, f"{shape} size {size} beta {beta}")


def backward(region: str, shape: tuple[int, ...], size: int, alpha: float, beta: float, k: float) -> Case:
    def make(r: Arguments) -> list[Any]:
        x, y, s = r.real(*shape), r.out(*shape), r.out(*shape)
        getattr(get_backend("reference").kernels, f"lrn_{region}_forward")(x, y, s, size, alpha, beta, k)
        return [x, y, s, r.real(*shape), r.out(*shape), size, alpha, beta]

    return Case(f"lrn_{region}_backward", make, f"{shape} size {size} beta {beta}")


def l2_backward(r: Arguments, shape: tuple[int, int, int]) -> list[Any]:
    return [r.real(*shape), r.uniform(0.5, 2, shape[0], shape[2]), r.real(*shape), r.out(*shape)]


CASES = [
    *[
        make(region, shape, size, alpha, beta, k)
        for make in (forward, backward)
        for region in ("across", "within")
        for shape in SHAPES
        for size, alpha, beta, k in ((5, 1e-4, 0.75, 1.0), (3, 1.0, 0.6, 2.0), (1, 0.5, 0.75, 1.0))
    ],
    *[
        Case("l2_normalize_forward", lambda r, s=s: [r.real(*s), r.out(*s), r.out(s[0], s[2]), 1e-10], str(s))
        for s in SHAPES[:4]
    ],
    *[Case("l2_normalize_backward", lambda r, s=s: l2_backward(r, s), str(s)) for s in SHAPES],
]
