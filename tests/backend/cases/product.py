"""Cases of the gradient as one product: either side the longer one, halves of odd sizes, taps outside of the map."""

from typing import Any

from tests.backend.cases.conv import SCRATCH, Geometry
from tests.support.kernels import Arguments, Case

ONE = (1, 1)


def _geometry(
    label: str, size: tuple[int, int], kernel: tuple[int, int], pad: tuple[int, int], **more: Any
) -> Geometry:
    return Geometry(label, size, kernel, more.pop("stride", ONE), pad, more.pop("rate", ONE), **more)


GEOMETRIES = [
    _geometry("one-pixel", (1, 1), (1, 1), (0, 0), channels=1, outputs=1),
    _geometry("1x1", (7, 9), (1, 1), (0, 0), channels=5, outputs=6),
    _geometry("1x1-many-channels", (5, 7), (1, 1), (0, 0), channels=263, outputs=21),
    _geometry("1x1-many-outputs", (6, 5), (1, 1), (0, 0), channels=13, outputs=263),
    _geometry("1x1-many-pixels", (41, 43), (1, 1), (0, 0), channels=35, outputs=50),
    _geometry("1x1-many-sums", (4, 5), (1, 1), (0, 0), channels=600, outputs=70),
    _geometry("1x1-stride", (13, 8), (1, 1), (0, 0), stride=(2, 3)),
    _geometry("3x3", (11, 13), (3, 3), (1, 1)),
    _geometry("no-pad", (20, 19), (3, 3), (0, 0), batch=1),
    _geometry("pad-of-the-window", (6, 5), (3, 3), (2, 2)),
    _geometry("rate-6", (41, 23), (3, 3), (6, 6), rate=(6, 6), channels=70, outputs=7),
    _geometry("rate-beyond-map", (5, 7), (3, 3), (12, 12), rate=(12, 12), channels=30, outputs=3),
    _geometry("rate-uneven", (9, 16), (3, 2), (4, 1), rate=(4, 3)),
    _geometry("7x7-stride-2", (23, 24), (7, 7), (3, 3), stride=(2, 2), channels=3, outputs=10),
    _geometry("wide", (3, 530), (3, 3), (1, 1), channels=3, outputs=17),
    _geometry("row", (1, 40), (1, 5), (0, 4), rate=(1, 2)),
    _geometry("empty-batch", (5, 6), (3, 3), (1, 1), batch=0),
]
WIDE_PAD = _geometry("pad-beyond-window", (6, 5), (3, 3), (4, 3))


def _case(g: Geometry, halves: bool, turned: bool) -> Case:
    def make(r: Arguments) -> list[Any]:
        return [g.x(r), g.y(r), g.w(r), r.scratch(4 * SCRATCH), *g.window, halves, turned]

    return Case("product_backward_weights", make, label=g.label + "-halves" * halves + "-turned" * turned)


CASES: list[Case] = [
    *(_case(g, halves, False) for g in (*GEOMETRIES, WIDE_PAD) for halves in (False, True)),
    *(_case(g, halves, True) for g in GEOMETRIES if g.stride == ONE for halves in (False, True)),
]
