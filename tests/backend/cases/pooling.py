"""Cases of the pooling kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pydeeplab.backend.reference import pooling
from tests.support.kernels import Arguments, Case


@dataclass(frozen=True)
class Geometry:
    """A pooling of small maps; the output is Caffe's, rounded up."""

    label: str
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    batch: int = 2
    channels: int = 3

    @property
    def out(self) -> tuple[int, int]:
        pooled = []
        for n, k, s, p, d in zip(self.size, self.kernel, self.stride, self.pad, self.dilation, strict=True):
            o = -(((k - 1) * d + 1 - n - 2 * p) // s) + 1
            pooled.append(o - 1 if any(self.pad) and (o - 1) * s >= n + p else o)
        return pooled[0], pooled[1]

    @property
    def window(self) -> list[int]:
        return [*self.kernel, *self.stride, *self.pad, *self.dilation]

    @property
    def image(self) -> tuple[int, ...]:
        return (self.batch, self.channels, *self.size)

    @property
    def pooled(self) -> tuple[int, ...]:
        return (self.batch, self.channels, *self.out)


GEOMETRIES = [
    Geometry("pixel", (1, 1), (1, 1), (1, 1)),
    Geometry("2x2", (10, 13), (2, 2), (2, 2)),
    Geometry("3x3-stride-2", (13, 12), (3, 3), (2, 2), (1, 1)),
    Geometry("3x3-stride-2-wide", (9, 67), (3, 3), (2, 2), (1, 1)),
    Geometry("3x3-stride-1", (9, 40), (3, 3), (1, 1), (1, 1)),
    Geometry("uneven", (11, 9), (2, 4), (3, 1), (1, 3)),
    Geometry("window-beyond-image", (2, 3), (5, 4), (4, 4), (2, 3)),
    Geometry("kernel-larger", (2, 2), (3, 3), (2, 2)),
    Geometry("stride-beyond-kernel", (3, 7), (1, 1), (3, 4)),
    Geometry("global", (17, 19), (17, 19), (1, 1), batch=3, channels=5),
    Geometry("dilated", (11, 14), (3, 3), (1, 1), (2, 2), (2, 2)),
    Geometry("dilated-strides", (12, 13), (2, 3), (2, 1), (1, 4), (3, 2)),
    Geometry("dilated-beyond-image", (3, 2), (3, 2), (1, 1), (5, 3), (4, 5)),
    Geometry("many-planes", (21, 33), (3, 3), (2, 2), (1, 1), batch=8, channels=16),
    Geometry("empty-batch", (5, 5), (2, 2), (2, 2), batch=0),
]


def _all(kernel: str, make: Callable[[Geometry, Arguments], list[Any]], suffix: str = "") -> list[Case]:
    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: make(g, r)

    return [Case(kernel, build(g), label=g.label + suffix) for g in GEOMETRIES]


def _special(r: Arguments, g: Geometry) -> np.ndarray:
    """Ties, infinities and NaN, some windows full of them."""
    x = r.integers(-1, 2, *g.image)
    choice = r.int32(0, 4, *g.image)
    x[choice == 0] = np.nan
    x[choice == 1] = -np.inf
    return x


def _indices(r: Arguments, g: Geometry) -> np.ndarray:
    """What a forward pass over values with ties chooses, and here and there nothing."""
    index = r.out_int32(*g.pooled)
    pooling.max_pool_forward(r.integers(0, 4, *g.image), r.out(*g.pooled), index, *g.window)
    index[r.int32(0, 9, *g.pooled) == 0] = -1
    return index


CASES: list[Case] = [
    *_all("max_pool_forward", lambda g, r: [r.real(*g.image), r.out(*g.pooled), r.out_int32(*g.pooled), *g.window]),
    *_all("max_pool_forward", lambda g, r: [r.real(*g.image), r.out(*g.pooled), None, *g.window], "-no-index"),
    *_all(
        "max_pool_forward",
        lambda g, r: [r.integers(0, 3, *g.image), r.out(*g.pooled), r.out_int32(*g.pooled), *g.window],
        "-ties",
    ),
    *_all(
        "max_pool_forward",
        lambda g, r: [_special(r, g), r.out(*g.pooled), r.out_int32(*g.pooled), *g.window],
        "-special",
    ),
    *_all("max_pool_forward", lambda g, r: [_special(r, g), r.out(*g.pooled), None, *g.window], "-special-no-index"),
    *_all("max_pool_backward", lambda g, r: [r.real(*g.pooled), _indices(r, g), r.out(*g.image), *g.window]),
    *_all("ave_pool_forward", lambda g, r: [r.real(*g.image), r.out(*g.pooled), *g.window]),
    *_all("ave_pool_backward", lambda g, r: [r.real(*g.pooled), r.out(*g.image), *g.window]),
    *_all(
        "stochastic_pool_forward",
        lambda g, r: [
            r.integers(0, 5, *g.image),
            r.integers(0, 8, *g.pooled) / r.value(8.0),
            r.out(*g.pooled),
            r.out_int32(*g.pooled),
            *g.window,
        ],
    ),
    *_all("stochastic_pool_average", lambda g, r: [r.uniform(0, 1, *g.image), r.out(*g.pooled), *g.window]),
]
