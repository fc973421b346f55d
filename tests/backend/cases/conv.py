"""Cases of the convolution kernels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pydeeplab.threads import get_num_threads
from tests.support.kernels import Arguments, Case

SCRATCH = 2**19 * (4 + get_num_threads())
"""Enough for the parts that each thread has to itself."""


@dataclass(frozen=True)
class Geometry:
    """A convolution of small maps; sizes per spatial axis."""

    label: str
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    batch: int = 2
    channels: int = 3
    outputs: int = 4
    group: int = 1
    bias: bool = True

    @property
    def out(self) -> tuple[int, ...]:
        axes = zip(self.size, self.kernel, self.stride, self.pad, self.dilation, strict=True)
        return tuple((n + 2 * p - (d * (k - 1) + 1)) // s + 1 for n, k, s, p, d in axes)

    @property
    def window(self) -> list[int]:
        return [*self.stride, *self.pad, *self.dilation]

    @property
    def rows(self) -> np.ndarray:
        """The geometry argument of the nd kernels."""
        axes = zip(self.size, self.out, self.kernel, self.stride, self.pad, self.dilation, strict=True)
        return np.array(list(axes), np.int32)

    @property
    def columns(self) -> int:
        return self.channels * math.prod(self.kernel) * math.prod(self.out)

    def x(self, r: Arguments) -> np.ndarray:
        return r.real(self.batch, self.channels, *self.size)

    def y(self, r: Arguments) -> np.ndarray:
        return r.real(self.batch, self.outputs, *self.out)

    def w(self, r: Arguments) -> np.ndarray:
        return r.real(self.outputs, self.channels // self.group, *self.kernel)


PLANES = [
    Geometry("one-pixel", (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    Geometry("1x1", (7, 9), (1, 1), (1, 1), (0, 0), (1, 1), channels=5, outputs=6),
    Geometry("1x1-groups", (5, 7), (1, 1), (1, 1), (0, 0), (1, 1), channels=6, outputs=4, group=2, bias=False),
    Geometry("1x1-stride", (7, 8), (1, 1), (2, 3), (0, 0), (1, 1)),
    Geometry("1x1-pad", (5, 4), (1, 1), (1, 1), (1, 2), (1, 1)),
    Geometry("3x3", (11, 13), (3, 3), (1, 1), (1, 1), (1, 1), bias=False),
    Geometry("rate-2", (11, 13), (3, 3), (1, 1), (2, 2), (2, 2), batch=3),
    Geometry("rate-beyond-map", (5, 7), (3, 3), (1, 1), (12, 12), (12, 12)),
    Geometry("rate-uneven", (9, 6), (3, 2), (1, 1), (4, 1), (4, 3)),
    Geometry("stride-2", (12, 11), (3, 3), (2, 2), (1, 1), (1, 1)),
    Geometry("stride-uneven", (13, 8), (4, 3), (3, 1), (0, 3), (1, 2), channels=4, outputs=6, group=2),
    Geometry("stride-beyond-kernel", (9, 10), (2, 1), (3, 4), (0, 1), (1, 1)),
    Geometry("stem", (17, 19), (7, 7), (2, 2), (3, 3), (1, 1), batch=1),
    Geometry("pad-beyond-image", (2, 3), (3, 3), (1, 1), (5, 6), (1, 1)),
    Geometry("row", (1, 23), (1, 5), (1, 2), (0, 2), (1, 1)),
    Geometry("whole-image", (5, 6), (5, 6), (1, 1), (0, 0), (1, 1), batch=3, outputs=20),
    Geometry("groups", (8, 9), (3, 3), (1, 1), (1, 1), (1, 1), channels=6, outputs=9, group=3),
    Geometry("depthwise", (10, 9), (3, 3), (1, 1), (2, 2), (2, 2), channels=5, outputs=5, group=5),
    Geometry("depthwise-twice", (9, 8), (3, 3), (2, 2), (1, 1), (1, 1), channels=4, outputs=8, group=4),
    Geometry("depthwise-bilinear", (24, 33), (8, 8), (4, 4), (2, 2), (1, 1), channels=3, outputs=3, group=3),
    Geometry("wide", (24, 50), (3, 3), (1, 1), (1, 1), (1, 1), batch=1, channels=16, outputs=40),
    Geometry("empty-batch", (5, 6), (3, 3), (1, 1), (1, 1), (1, 1), batch=0),
]
DEEP = [
    Geometry("1x1-deep", (9, 8), (1, 1), (1, 1), (0, 0), (1, 1), channels=301, outputs=130),
    Geometry("no-channels", (5, 7), (1, 1), (1, 1), (0, 0), (1, 1), channels=0, outputs=5),
    Geometry("1x1-odd-depth", (12, 17), (1, 1), (1, 1), (0, 0), (1, 1), batch=1, channels=1031, outputs=30),
    Geometry("1x1-many-outputs", (17, 21), (1, 1), (1, 1), (0, 0), (1, 1), batch=1, channels=9, outputs=279),
    Geometry("1x1-whole-panels", (16, 18), (1, 1), (1, 1), (0, 0), (1, 1), channels=40, outputs=20),
    Geometry("3x3-deep", (9, 13), (3, 3), (2, 2), (1, 1), (1, 1), batch=1, channels=60, outputs=25),
]
WIDE = [
    Geometry("1x1-wide", (9, 11), (1, 1), (1, 1), (0, 0), (1, 1), channels=310, outputs=601),
    Geometry("1x1-wide-groups", (9, 8), (1, 1), (1, 1), (0, 0), (1, 1), channels=62, outputs=26, group=2),
    Geometry("5x4-rate-2", (11, 12), (5, 4), (1, 1), (3, 0), (2, 1), channels=31, outputs=14, bias=False),
]
OTHERS = [
    Geometry("1d", (31,), (4,), (2,), (3,), (2,), channels=4, outputs=6, group=2),
    Geometry("1d-1", (9,), (1,), (1,), (0,), (1,)),
    Geometry("2d", (7, 8), (3, 2), (2, 1), (1, 0), (1, 2)),
    Geometry("3d", (5, 6, 7), (3, 2, 3), (1, 2, 1), (1, 0, 2), (1, 1, 2), channels=4, outputs=4, group=2),
    Geometry("4d", (3, 4, 3, 5), (2, 2, 2, 2), (1, 2, 1, 1), (0, 1, 0, 1), (1, 1, 2, 1), bias=False),
]

Make = Callable[[Geometry, Arguments], list[Any]]


def _bias(r: Arguments, g: Geometry, count: int) -> Any:
    return r.real(count) if g.bias else None


def _planes(kernel: str, make: Make, geometries: Sequence[Geometry]) -> list[Case]:
    def scratch(g: Geometry) -> int:
        return max(g.columns, 16 * g.channels * math.prod(g.kernel), 256)

    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: [*make(g, r), r.scratch(scratch(g)), *g.window, g.group]

    return [Case(kernel, build(g), label=g.label) for g in geometries]


def _direct(kernel: str, make: Make) -> list[Case]:
    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: [*make(g, r), *g.window]

    return [Case(kernel, build(g), label=g.label) for g in PLANES if g.group == g.channels or g.channels == 1]


def _flat(values: Any) -> Any:
    return values.reshape(*values.shape[:2], -1) if values is not None and values.ndim > 2 else values


def _nd(kernel: str, make: Make) -> list[Case]:
    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: [*map(_flat, make(g, r)), r.scratch(g.columns), g.rows, g.group]

    return [Case(kernel, build(g), label=g.label) for g in OTHERS]


def _forward(g: Geometry, r: Arguments) -> list[Any]:
    return [g.x(r), g.w(r), _bias(r, g, g.outputs), r.out(g.batch, g.outputs, *g.out)]


def _backward_data(g: Geometry, r: Arguments) -> list[Any]:
    return [g.y(r), g.w(r), _bias(r, g, g.channels), r.out(g.batch, g.channels, *g.size)]


def _backward_weights(g: Geometry, r: Arguments) -> list[Any]:
    return [g.x(r), g.y(r), g.w(r)]


def _packed_arguments(
    pictures: Sequence[Geometry], r: Arguments, relu: bool, slope: float, sums: Sequence[bool]
) -> list[Any]:
    g = pictures[0]
    xs, ys = [p.x(r) for p in pictures], [r.out(p.batch, p.outputs, *p.out) for p in pictures]
    scale = r.uniform(0.5, 2, g.outputs) if relu else None
    others = [r.real(*y.shape) if wanted else None for y, wanted in zip(ys, sums, strict=True)]
    arrays = xs, g.w(r), scale, _bias(r, g, g.outputs), others if any(sums) else None, ys
    return [*arrays, r.scratch(SCRATCH), *g.window, g.group, relu, slope]


def _packed(relu: bool, slope: float, sums: bool = False) -> list[Case]:
    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: _packed_arguments([g], r, relu, slope, [sums])

    label = (f"slope-{slope}" if relu else "plain") + "-sum" * sums
    return [Case("conv_forward_packed", build(g), label=f"{g.label}-{label}") for g in (*PLANES, *DEEP)]


def _pictures() -> list[Case]:
    """Pictures of other sizes and batches beside that of the geometry, first, last and in the middle."""

    def build(g: Geometry, place: int, sums: Sequence[bool]) -> Callable[[Arguments], list[Any]]:
        larger = replace(g, size=(g.size[0] + 9, g.size[1] + 14), batch=1)
        pictures = [larger, replace(g, batch=0), replace(g, size=(g.size[0], g.size[1] + 5), batch=3)]
        pictures.insert(place, g)
        return lambda r: _packed_arguments(pictures, r, any(sums), 0.25, sums)

    sums = [(False,) * 4, (True, False, True, False), (True,) * 4, (False, True, True, True)]
    return [
        Case("conv_forward_packed", build(g, i % 4, sums[i // 2 % 4]), label=f"{g.label}-pictures-{i % 4}")
        for i, g in enumerate((*PLANES, *DEEP))
    ]


def _adjoints() -> list[Case]:
    """At stride 1 and with pads within the window."""

    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        return lambda r: [*_backward_data(g, r), r.scratch(SCRATCH), *g.window, g.group]

    def applies(g: Geometry) -> bool:
        within = all(p <= d * (k - 1) for p, d, k in zip(g.pad, g.dilation, g.kernel, strict=True))
        return set(g.stride) == {1} and within

    geometries = [g for g in (*PLANES, *DEEP, *WIDE) if applies(g)]
    return [Case("conv_backward_data_packed", build(g), label=g.label) for g in geometries]


def _columns(kernel: str, geometries: Sequence[Geometry], to_columns: bool, nd: bool) -> list[Case]:
    def build(g: Geometry) -> Callable[[Arguments], list[Any]]:
        def make(r: Arguments) -> list[Any]:
            image, columns = (g.batch, g.channels, *g.size), (g.batch, g.channels * math.prod(g.kernel), *g.out)
            arrays = [r.real(*image), r.out(*columns)] if to_columns else [r.real(*columns), r.out(*image)]
            return [*map(_flat, arrays), g.rows] if nd else [*arrays, *g.kernel, *g.window]

        return make

    return [Case(kernel, build(g), label=g.label) for g in geometries]


def _bias_case(label: str, *shape: int) -> Case:
    return Case("conv_backward_bias", lambda r: [r.real(*shape), r.accumulate(shape[1])], label=label)


CASES: list[Case] = [
    *_columns("im2col", PLANES, True, False),
    *_columns("col2im", PLANES, False, False),
    *_columns("im2col_nd", OTHERS, True, True),
    *_columns("col2im_nd", OTHERS, False, True),
    *_planes("conv_forward", _forward, PLANES),
    *_planes("conv_backward_data", _backward_data, PLANES),
    *_planes("conv_backward_weights", _backward_weights, PLANES),
    *_packed(False, 0.0),
    *_packed(True, 0.0),
    *_packed(True, 0.25),
    *_packed(False, 0.0, sums=True),
    *_packed(True, 0.25, sums=True),
    *_pictures(),
    *_adjoints(),
    *_nd("conv_nd_forward", _forward),
    *_nd("conv_nd_backward_data", _backward_data),
    *_nd("conv_nd_backward_weights", _backward_weights),
    *_direct("depthwise_forward", _forward),
    *_direct("depthwise_backward_data", _backward_data),
    *_direct("depthwise_backward_weights", _backward_weights),
    _bias_case("small", 3, 4, 5),
    _bias_case("long", 2, 3, 9001),
    _bias_case("vectors", 7, 5, 1),
    _bias_case("none", 0, 5, 3),
]
