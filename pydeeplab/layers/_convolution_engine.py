"""Which way to compute each pass of a convolution."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from pydeeplab.backend import Backend
from pydeeplab.backend.cuda.library import Unavailable
from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_columns import ColumnsEngine
from pydeeplab.layers._convolution_cudnn import CudnnEngine, find_cudnn
from pydeeplab.layers._convolution_implicit import ImplicitEngine, choose_without_strips
from pydeeplab.layers._convolution_packed import PackedEngine, StrassenEngine, adjoint, strassen_share
from pydeeplab.layers._convolution_problem import Problem
from pydeeplab.layers._convolution_product import ProductEngine, choose_product, product_applies
from pydeeplab.layers._convolution_shift import ShiftEngine, shift_applies, shift_cost
from pydeeplab.layers._convolution_winograd import WinogradEngine, choose_tile, winograd_applies

__all__ = ["OPERATIONS", "Choice", "choose_engine", "make_engine", "prefer_cudnn"]

OPERATIONS = ("forward", "backward_data", "backward_weights")
"""The passes of a convolution."""

FEW_POSITIONS = 256
"""Output pixels of a batch below which splitting the outputs between threads beats splitting the pixels."""

MANY_FILTERS = 4
"""Filters per channel up to which the direct depthwise loops beat a matrix product per channel."""

COLUMN_COST, OUTPUT_COST = 21.0, 13.0
"""What making an element of the columns and storing an output cost, where a multiply-add of a large product costs 1;
fitted to measurements."""

ENOUGH_POSITIONS, MOST_SPREAD = 1024, 4
"""Pixels of a batch from which, and results per term up to which, 1 x 1 gradients of images are faster than by BLAS."""

CLEAR = 0.95
"""Share of what columns cost up to which ``shift`` is the faster one for sure."""

WORTHWHILE = 0.98
"""Share of what ``packed`` costs up to which the larger rounding errors of ``strassen`` are worth it."""


@dataclass(frozen=True)
class Choice:
    """An engine's name, why it was chosen, and for ``winograd`` the outputs per side of a tile."""

    name: str
    reason: str
    tile: int = 0


def columns_cost(problem: Problem) -> float:
    """What a pass through columns costs, in multiply-adds of a large matrix product."""
    places = problem.batch * math.prod(problem.positions)
    return problem.multiply_adds + places * (
        COLUMN_COST * problem.channels * problem.window.taps + OUTPUT_COST * problem.outputs
    )


def choose_engine(
    requested: str,
    problem: Problem,
    force_nd: bool = False,
    operation: str = "forward",
    lacking: Collection[str] = (),
) -> Choice:
    """Choose how to compute a pass of ``problem`` when CAFFE or DEFAULT (the fastest) is requested.

    Parameters
    ----------
    operation : one of `OPERATIONS`
    lacking : str
        Kernels that the backend does not have.

    Returns
    -------
    Choice
        ``nd``: columns of any number of axes; ``im2col``: all columns of an image, then one product per group;
        ``gemm``: the image is its own columns; ``depthwise``: direct; ``strips``: columns a few pixels at a time;
        ``packed``: columns made while they are packed; ``strassen``: the same in seven products of halves;
        ``winograd``: products of transformed tiles; ``shift``: one product of all taps with the image, shifted and
        added; ``product``: one product over the pixels of all images; ``implicit``: columns read from the image where
        the product needs them.
    """
    window = problem.window
    if len(window.kernel) > 2:
        return Choice("nd", f"{len(window.kernel)} spatial axes")
    if force_nd and window.kernel:
        return Choice("nd", "force_nd_im2col")
    if requested == "CAFFE":
        return Choice("im2col", "engine CAFFE")
    if problem.group == problem.channels > 1 and problem.outputs <= MANY_FILTERS * problem.channels:
        return Choice("depthwise", f"{problem.group} groups of one channel")
    shares = _shares(problem, operation, lacking)
    return min(shares.items())[1] if shares else _choose_columns(problem, operation, lacking)


def _convolved(problem: Problem, operation: str, lacking: Collection[str]) -> Problem | None:
    """The convolution that a pass is, where there is a ``packed`` kernel for it that is likely faster than columns."""
    if f"conv_{operation}_packed" in lacking:
        return None
    if operation == "forward":
        return problem
    found = adjoint(problem) if operation == "backward_data" else None
    return found if found and _gains(problem, found) else None


def _gains(problem: Problem, found: Problem) -> bool:
    """Whether the gradient of the image is faster as the convolution ``found`` than by adding up columns."""
    if not problem.window.single:
        return columns_cost(found) <= columns_cost(problem)
    large = problem.batch * math.prod(problem.positions) >= ENOUGH_POSITIONS
    return large and found.outputs <= MOST_SPREAD * found.channels


def _shares(problem: Problem, operation: str, lacking: Collection[str]) -> dict[float, Choice]:
    """What costs less than columns, by the share of their cost."""
    shares: dict[float, Choice] = {}
    columns = columns_cost(_convolved(problem, operation, lacking) or problem)
    if not columns:
        return shares
    if f"shift_{operation}" not in lacking and shift_applies(problem, operation):
        share = shift_cost(problem) / columns
        if share < CLEAR:
            shares[share] = Choice("shift", f"taps that stay within the map: {share:.0%} of what columns cost")
    if f"winograd_{operation}" not in lacking and winograd_applies(problem, operation):
        cost, tile = choose_tile(problem, operation)
        share = cost / columns
        if share < 1:
            shares[share] = Choice("winograd", f"tiles of {tile} x {tile}: {share:.0%} of what columns cost", tile)
    if f"product_{operation}" not in lacking and product_applies(problem, operation):
        cost, way = choose_product(problem)
        share = cost / columns
        if share < 1:
            shares[share] = Choice("product", f"{way}: {share:.0%} of what columns cost")
    return shares


def _choose_columns(problem: Problem, operation: str, lacking: Collection[str]) -> Choice:
    if f"conv_{operation}_strips" in lacking:
        return Choice(*choose_without_strips(problem, operation, lacking))
    if problem.batch * math.prod(problem.positions) <= FEW_POSITIONS:
        return Choice("im2col", f"at most {FEW_POSITIONS} output pixels")
    convolved = _convolved(problem, operation, lacking)
    if convolved and problem.group == 1:
        share = 1 if f"conv_{operation}_strassen" in lacking else strassen_share(convolved)
        if share < WORTHWHILE:
            return Choice("strassen", f"seven products of halves in place of eight: {share:.0%} of what packed costs")
        return Choice("packed", "columns are made while they are packed")
    if product_applies(problem, operation) and f"product_{operation}" not in lacking:
        return Choice("product", str(choose_product(problem)[1]))
    if problem.window.single:
        return Choice("gemm", "1 x 1, stride 1, no pad: the image is its own columns")
    return Choice("strips", "columns fit the caches a strip at a time")


def prefer_cudnn(choice: Choice, backend: Backend) -> Choice:
    """cuDNN in place of ``choice`` where it can be used, else ``choice`` with the reason why not."""
    if choice.name == "nd":
        return choice
    found = find_cudnn(backend)
    if isinstance(found, Unavailable):
        return replace(choice, reason=f"{choice.reason}; {found.reason}")
    return Choice("cudnn", f"engine CUDNN: version {found.version}")


def make_engine(layer: Layer, problem: Problem, choice: Choice) -> ColumnsEngine:
    """What runs the passes of ``problem`` as chosen."""
    if choice.name == "winograd":
        return WinogradEngine(layer, problem, choice.tile)
    if choice.name == "shift":
        return ShiftEngine(layer, problem)
    if choice.name == "packed":
        return PackedEngine(layer, problem)
    if choice.name == "strassen":
        return StrassenEngine(layer, problem)
    if choice.name == "product":
        return ProductEngine(layer, problem)
    if choice.name == "cudnn":
        return CudnnEngine(layer, problem)
    if choice.name == "implicit":
        return ImplicitEngine(layer, problem)
    return ColumnsEngine(layer, problem, choice.name)
