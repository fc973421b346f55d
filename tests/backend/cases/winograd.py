"""Cases of the Winograd kernels: small maps, rates beyond the map, pads of all kinds, every tile."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.backend.cases.conv import SCRATCH, Geometry
from tests.support.kernels import Arguments, Case

ONE = (1, 1)


def _geometry(label: str, size: tuple[int, int], rate: tuple[int, int], pad: tuple[int, int], **more: Any) -> Geometry:
    return Geometry(label, size, (3, 3), ONE, pad, rate, **more)


GEOMETRIES = [
    _geometry("3x3", (11, 13), (1, 1), (1, 1), bias=False),
    _geometry("one-output", (3, 3), (1, 1), (0, 0), outputs=1),
    _geometry("no-pad", (20, 19), (1, 1), (0, 0), batch=1),
    _geometry("wide-pad", (9, 10), (1, 1), (2, 2)),
    _geometry("rate-2", (11, 13), (2, 2), (2, 2), batch=3),
    _geometry("rate-uneven", (16, 31), (4, 3), (1, 5)),
    _geometry("rate-4", (23, 29), (4, 4), (4, 4), channels=9),
    _geometry("rate-4-last-tiles-of-one-phase", (10, 53), (2, 4), (2, 4)),
    _geometry("rate-8", (20, 37), (8, 8), (8, 8), batch=3),
    _geometry("rate-12", (30, 17), (1, 12), (1, 12)),
    _geometry("rate-6", (41, 23), (6, 6), (6, 6), batch=1, channels=5, outputs=7),
    _geometry("rate-beyond-map", (5, 7), (12, 12), (12, 12)),
    _geometry("many-channels", (9, 8), (1, 1), (1, 1), channels=263, outputs=13),
    _geometry("many-outputs", (8, 9), (1, 1), (1, 1), channels=13, outputs=263),
    _geometry("wide", (24, 70), (1, 1), (1, 1), batch=1, channels=16, outputs=40),
    _geometry("empty-batch", (5, 6), (1, 1), (1, 1), batch=0),
]
FEW_OUTPUTS = _geometry("many-channels-few-outputs", (7, 6), (1, 1), (1, 1), channels=700, outputs=21)
WIDE_PAD = _geometry("pad-beyond-window", (6, 5), (1, 1), (4, 3))
TILES = (2, 3, 4, 6)

Make = Callable[[Geometry, int, Arguments], list[Any]]


def _cases(kernel: str, make: Make, geometries: list[Geometry]) -> list[Case]:
    def case(g: Geometry, tile: int) -> Case:
        return Case(kernel, lambda r: make(g, tile, r), label=f"{g.label}-{tile}")

    return [case(g, tile) for g in geometries for tile in TILES]


def _window(g: Geometry, tile: int, r: Arguments) -> list[Any]:
    return [r.scratch(SCRATCH), tile, *g.pad, *g.dilation]


def _forward(g: Geometry, tile: int, r: Arguments, *, relu: bool = False, slope: float = 0.0) -> list[Any]:
    scale = r.uniform(0.5, 2, g.outputs) if relu else None
    bias = r.real(g.outputs) if g.bias else None
    return [[g.x(r)], g.w(r), scale, bias, [_map(g, r)], *_window(g, tile, r), relu, slope]


def _map(g: Geometry, r: Arguments) -> Any:
    return r.out(g.batch, g.outputs, *g.out)


def _together(gs: Sequence[Geometry], tile: int, r: Arguments) -> list[Any]:
    """Several batches of images with the filters of the first."""
    scale, bias = r.uniform(0.5, 2, gs[0].outputs), r.real(gs[0].outputs)
    maps = [_map(g, r) for g in gs]
    return [[g.x(r) for g in gs], gs[0].w(r), scale, bias, maps, *_window(gs[0], tile, r), True, 0.125]


def _backward_data(g: Geometry, tile: int, r: Arguments) -> list[Any]:
    bias = r.real(g.channels) if g.bias else None
    return [g.y(r), g.w(r), bias, r.out(g.batch, g.channels, *g.size), *_window(g, tile, r)]


def _backward_weights(g: Geometry, tile: int, r: Arguments) -> list[Any]:
    return [g.x(r), g.y(r), g.w(r), *_window(g, tile, r)]


def _fused(g: Geometry, slope: float) -> Case:
    return Case(
        "winograd_forward", lambda r: _forward(g, 4, r, relu=True, slope=slope), label=f"{g.label}-slope-{slope}"
    )


def _of_sizes(g: Geometry, *sizes: tuple[int, int, int]) -> list[Geometry]:
    """The same convolution of other batches, rows and columns."""
    return [replace(g, batch=batch, size=(rows, columns)) for batch, rows, columns in sizes]


SEVERAL = [
    _of_sizes(_geometry("scales", (0, 0), (1, 1), (1, 1)), (1, 33, 29), (1, 25, 22), (1, 17, 15)),
    _of_sizes(_geometry("scales-rate-2", (0, 0), (2, 2), (2, 2), outputs=7), (1, 33, 33), (2, 25, 24), (1, 16, 17)),
    _of_sizes(_geometry("batches", (0, 0), (3, 4), (4, 4), outputs=13), (3, 9, 30), (0, 9, 9), (2, 31, 8), (1, 7, 7)),
    _of_sizes(_geometry("smaller-than-a-tile", (0, 0), (1, 1), (1, 1)), (1, 1, 1), (2, 40, 37), (1, 2, 3), (1, 1, 70)),
    _of_sizes(_geometry("rate-beyond-some", (0, 0), (12, 9), (12, 9), channels=8), (1, 5, 4), (1, 40, 33), (1, 13, 60)),
    _of_sizes(_geometry("many-channels", (0, 0), (1, 1), (1, 1), channels=263), (1, 9, 8), (1, 6, 5)),
    _of_sizes(_geometry("heads", (0, 0), (2, 2), (2, 2), channels=700, outputs=21), (1, 12, 11), (1, 9, 8), (1, 5, 5)),
    _of_sizes(_geometry("many-outputs", (0, 0), (1, 1), (1, 1), channels=64, outputs=263), (1, 17, 9), (1, 5, 13)),
]  # fmt: skip

CASES: list[Case] = [
    *_cases("winograd_forward", _forward, [*GEOMETRIES, FEW_OUTPUTS, WIDE_PAD]),
    *(_fused(g, slope) for g in GEOMETRIES[3:7] for slope in (0.0, 0.25)),
    *(
        Case("winograd_forward", lambda r, gs=gs, t=tile: _together(gs, t, r), label=f"together-{gs[0].label}-{tile}")
        for gs in SEVERAL
        for tile in TILES
    ),
    *_cases("winograd_backward_data", _backward_data, GEOMETRIES),
    *_cases("winograd_backward_weights", _backward_weights, [*GEOMETRIES, WIDE_PAD]),
]
