"""Cases for maps and sums with one value per channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.kernels import Arguments, Case

SHAPES = [(2, 3, 5), (1, 4, 20000), (3, 7, 1), (5, 1, 333), (2, 2, 0), (0, 3, 4), (1, 1, 1), (2, 19, 300), (64, 129, 1)]
"""Ordinary, long planes, one value per channel, one channel, empty, single, odd lengths, long rows."""


def each(kernel: str, make: Callable[..., list[Any]], label: str = "") -> list[Case]:
    """One case per shape; ``make`` gets the arguments' maker, the shape and the number of channels."""

    def of(shape: tuple[int, ...]) -> Case:
        name = f"{label}{' ' if label else ''}{'x'.join(map(str, shape))}"
        return Case(kernel, lambda r: make(r, shape, shape[1]), name)

    return [of(shape) for shape in SHAPES]


def affine(scale: bool, shift: bool, slope: float, relu: bool) -> Callable[..., list[Any]]:
    def make(r: Arguments, shape: tuple[int, ...], c: int) -> list[Any]:
        return [r.real(*shape), r.out(*shape), r.real(c) if scale else None, r.real(c) if shift else None, slope, relu]

    return make


def normalize_backward(
    batch: bool, scale: bool = True, dx: bool = True, dscale: bool = True, dshift: bool = True
) -> Callable[..., list[Any]]:
    def make(r: Arguments, shape: tuple[int, ...], c: int) -> list[Any]:
        return [
            r.real(*shape),
            r.real(*shape),
            r.real(c),
            r.uniform(0.5, 2, c),
            r.real(c) if scale else None,
            r.out(*shape) if dx else None,
            r.accumulate(c) if dscale else None,
            r.accumulate(c) if dshift else None,
            1e-5,
            batch,
        ]

    return make


def far_from_zero(r: Arguments) -> list[Any]:
    """A mean a thousand deviations from 0, where sums of squares in single precision lose everything."""
    return [1000 + r.real(2, 3, 5000), r.out(3), r.out(3)]


def in_place(case: Case, source: int, target: int) -> Case:
    """The same case with one array as input and output."""

    def make(r: Arguments) -> list[Any]:
        arguments = case.make(r)
        arguments[target] = arguments[source]
        return arguments

    return Case(case.kernel, make, f"in place {case.label}")


AFFINE = each("channel_affine_forward", affine(True, True, 0.0, False))
NORMALIZE = each(
    "channel_normalize_forward",
    lambda r, shape, c: [r.real(*shape), r.real(c), r.uniform(0, 2, c), r.real(c), r.real(c), r.out(*shape), 1e-3],
)

CASES = [
    *AFFINE,
    *[in_place(case, 0, 1) for case in AFFINE[:3]],
    *each("channel_affine_forward", affine(True, True, 0.0, True), "relu"),
    *each("channel_affine_forward", affine(True, True, 0.1, True), "leaky"),
    *each("channel_affine_forward", affine(True, False, 0.0, False), "scale"),
    *each("channel_affine_forward", affine(False, True, 0.0, False), "shift"),
    *each("channel_affine_forward", affine(False, False, 0.0, True), "relu only"),
    *each("channel_scale_gradient", lambda r, shape, c: [r.real(*shape), r.real(*shape), r.accumulate(c)]),
    *each("channel_bias_gradient", lambda r, shape, c: [r.real(*shape), r.accumulate(c)]),
    *each("channel_statistics", lambda r, shape, c: [r.real(*shape), r.out(c), r.out(c)]),
    Case("channel_statistics", far_from_zero, "far from zero"),
    Case("channel_statistics", lambda r: [r.value([[[3e4] * 700]]), r.out(1), r.out(1)], "constant"),
    *NORMALIZE,
    *[in_place(case, 0, 5) for case in NORMALIZE[:3]],
    *each(
        "channel_normalize_forward",
        lambda r, shape, c: [r.real(*shape), r.real(c), r.uniform(1, 2, c), None, None, r.out(*shape), 1e-5],
        "plain",
    ),
    *each("channel_normalize_backward", normalize_backward(True), "batch"),
    *each(
        "channel_normalize_backward", normalize_backward(True, scale=False, dscale=False, dshift=False), "batch plain"
    ),
    *each("channel_normalize_backward", normalize_backward(False), "global"),
    *each(
        "channel_normalize_backward", normalize_backward(False, scale=False, dscale=False, dshift=False), "global plain"
    ),
    *each("channel_normalize_backward", normalize_backward(True, dx=False), "parameters"),
    *[in_place(case, 1, 5) for case in each("channel_normalize_backward", normalize_backward(True))[:3]],
    *each("prelu_forward", lambda r, shape, c: [r.real(*shape), r.real(c), r.out(*shape)]),
    *each("prelu_backward", lambda r, shape, c: [r.integers(-1, 2, *shape), r.real(*shape), r.real(c), r.out(*shape)]),
    *each("prelu_slope_gradient", lambda r, shape, c: [r.real(*shape), r.real(*shape), r.accumulate(c)]),
]
