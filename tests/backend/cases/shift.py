"""Cases of the shift engine: maps that taps leave in all ways, kernels of any size, rates beyond the map."""

from typing import Any

from tests.backend.cases.conv import SCRATCH, Geometry
from tests.support.kernels import Arguments, Case

ONE = (1, 1)


def _geometry(
    label: str, size: tuple[int, int], kernel: tuple[int, int], pad: tuple[int, int], **more: Any
) -> Geometry:
    return Geometry(label, size, kernel, ONE, pad, more.pop("rate", ONE), **more)


GEOMETRIES = [
    _geometry("one-pixel", (1, 1), (1, 1), (0, 0)),
    _geometry("1x1", (7, 9), (1, 1), (0, 0), channels=5, outputs=6),
    _geometry("1x1-pad", (5, 4), (1, 1), (1, 2)),
    _geometry("3x3", (11, 13), (3, 3), (1, 1), bias=False),
    _geometry("no-pad", (20, 19), (3, 3), (0, 0), batch=1),
    _geometry("wide-pad", (6, 5), (3, 3), (4, 3)),
    _geometry("pixels-that-no-tap-needs", (9, 11), (2, 2), (0, 0), rate=(7, 8)),
    _geometry("rate-6", (41, 23), (3, 3), (6, 6), rate=(6, 6), batch=1, channels=5, outputs=21),
    _geometry("rate-beyond-map", (5, 7), (3, 3), (12, 12), rate=(12, 12)),
    _geometry("rate-uneven", (9, 16), (3, 2), (4, 1), rate=(4, 3)),
    _geometry("7x7", (13, 14), (7, 7), (12, 12), rate=(4, 4), channels=4, outputs=9),
    _geometry("4x4", (16, 15), (4, 4), (6, 6), rate=(4, 4), outputs=14),
    _geometry("row", (1, 40), (1, 5), (0, 4), rate=(1, 2)),
    _geometry("deep", (9, 10), (3, 3), (6, 6), rate=(6, 6), channels=530, outputs=21),
    _geometry("many-outputs", (12, 9), (3, 3), (6, 6), rate=(6, 6), channels=13, outputs=263),
    _geometry("no-channels", (5, 7), (3, 3), (1, 1), channels=0, outputs=5),
    _geometry("empty-batch", (5, 6), (3, 3), (1, 1), batch=0),
]


def _forward(g: Geometry, r: Arguments, relu: bool, slope: float) -> list[Any]:
    scale = r.uniform(0.5, 2, g.outputs) if relu else None
    bias = r.real(g.outputs) if g.bias else None
    out = r.out(g.batch, g.outputs, *g.out)
    return [g.x(r), g.w(r), scale, bias, out, r.scratch(SCRATCH), *g.pad, *g.dilation, relu, slope]


def _case(g: Geometry, relu: bool = False, slope: float = 0.0) -> Case:
    label = f"{g.label}-slope-{slope}" if relu else g.label
    return Case("shift_forward", lambda r: _forward(g, r, relu, slope), label=label)


CASES: list[Case] = [
    *(_case(g) for g in GEOMETRIES),
    *(_case(g, True, slope) for g in GEOMETRIES[3:8] for slope in (0.0, 0.25)),
]
