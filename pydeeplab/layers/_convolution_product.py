"""The gradient of the weights as one product over the pixels of all images: when it pays, and running it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_columns import Array, ColumnsEngine
from pydeeplab.layers._convolution_problem import Problem, filled
from pydeeplab.layers._convolution_shift import cut_axis
from pydeeplab.threads import get_num_threads

__all__ = ["Product", "ProductEngine", "choose_product", "product_applies"]

PANEL, BLOCK, TERMS, LANES = 16, 6, 512, 8
"""Rows of the longer and of the shorter factor that are multiplied together, terms at a time, terms packed together."""

LEFT_AT_ONCE, GROUPS_AT_ONCE, ENOUGH_UNITS, SUMS_AT_ONCE = 2**22, 2, 16, 2**21
"""As in ``kernels/cpu/product_weights.c``."""

PACKED_COST, HALVED_COST, GATHERED_COST, STORED_COST = 6.0, 16.0, 26.0, 40.0
"""What packing a pixel of a channel costs, as it is and as halves, seeing it through a window, and adding a sum to the
weights, where a multiply-add of a large product costs 1; fitted to measurements."""


@dataclass(frozen=True)
class Product:
    """How the gradient is computed: ``turned`` windows see the map from the image's pixels; ``halves``: seven products
    of halves in place of eight."""

    turned: bool = False
    halves: bool = False

    def __str__(self) -> str:
        terms = "all images' pixels" if self.turned else "all maps' pixels"
        return f"one product over {terms}" + ", seven of halves in place of eight" * self.halves


def product_applies(problem: Problem, operation: str) -> bool:
    """Whether there is an algorithm for this pass of the problem."""
    return operation == "backward_weights" and len(problem.window.kernel) == 2 and problem.group == 1


def _may_turn(problem: Problem) -> bool:
    window = problem.window
    reach = [r * (k - 1) for r, k in zip(window.dilation, window.kernel, strict=True)]
    return window.taps > 1 and window.stride == (1, 1) and all(p <= r for p, r in zip(window.pad, reach, strict=True))


def _factors(problem: Problem, product: Product) -> tuple[int, int, int]:
    """Rows seen through windows, rows that are pixels, terms of an image."""
    taps = problem.window.taps
    if product.turned:
        return problem.outputs * taps, problem.channels, math.prod(problem.image)
    return problem.channels * taps, problem.outputs, math.prod(problem.positions)


def _used(problem: Problem, product: Product) -> float:
    """The share of the taps that lie above or below of the map for no row of pixels and are multiplied."""
    seen, plain, _ = _factors(problem, product)
    if not product.turned or seen > plain:
        return 1.0
    window, size, out = problem.window, problem.image[0], problem.positions[0]
    runs = cut_axis(size, out, window.pad[0], window.dilation[0], window.kernel[0])
    return sum(pixels * taps for pixels, taps in runs) / (size * window.kernel[0])


def product_cost(problem: Problem, product: Product) -> float:
    """What the gradient costs, in multiply-adds of a large matrix product."""
    seen, plain, pixels = _factors(problem, product)
    parts = 2 if product.halves else 1
    rows, columns = filled(min(seen, plain), parts * BLOCK), filled(max(seen, plain), parts * PANEL)
    multiply_adds = rows * columns * (7 / 8 if product.halves else _used(problem, product))
    packed = (seen + plain) * (HALVED_COST if product.halves else PACKED_COST)
    gathered = 0 if problem.window.single else seen * GATHERED_COST
    return problem.batch * pixels * (multiply_adds + packed + gathered) + STORED_COST * seen * plain


def choose_product(problem: Problem) -> tuple[float, Product]:
    """The way that costs the least, and its cost."""
    ways = [Product(), Product(halves=True)] + [Product(turned=True)] * _may_turn(problem)
    return min(((product_cost(problem, way), way) for way in ways), key=lambda pair: pair[0])


class ProductEngine(ColumnsEngine):
    """Runs the gradient of the weights of one `Problem`, ``product`` being how."""

    def __init__(self, layer: Layer, problem: Problem):
        super().__init__(layer, problem, "product")
        self.product = choose_product(problem)[1]

    @property
    def _room(self) -> int:
        """Enough scratch, by the arithmetic of ``make_plan`` in ``kernels/cpu/product_weights.c``."""
        problem, threads = self._problem, get_num_threads()
        seen, plain, pixels = _factors(problem, self.product)
        parts, products = (2, 7) if self.product.halves else (1, 1)
        blocks = math.ceil(min(seen, plain) / (BLOCK * parts))
        groups = math.ceil(max(seen, plain) / (PANEL * parts))
        part = math.ceil(min(pixels, parts * TERMS) / parts) + LANES
        block, panel = part * BLOCK + LANES + PANEL, (part + 1) * PANEL
        sums = products * blocks * BLOCK * PANEL
        at_once = max(1, min(GROUPS_AT_ONCE, groups // ENOUGH_UNITS))
        chunks = problem.batch * math.ceil(pixels / (parts * TERMS))
        left = max(products * blocks * block, min(LEFT_AT_ONCE, 2 * chunks * products * blocks * block))
        shared = min(SUMS_AT_ONCE, 2 * ENOUGH_UNITS * groups * sums)
        own = products * panel * at_once + sums * at_once + parts * PANEL * (parts * part + PANEL)
        return left + shared + threads * own + 4 * min(seen, plain) + blocks * chunks + 64 * PANEL

    def add_weight_gradient(self, x: Array, y: Array, dw: Array) -> None:
        arrays = self._image(x), self._map(y), self._weights(dw)
        work = self._workspace.get(self._room)
        self._kernels.product_backward_weights(*arrays, work, *self._plane, self.product.halves, self.product.turned)
