"""Errors of every blob against a dump, and the first layer that departs from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pydeeplab.compare.dump import Dump, put, record
from pydeeplab.errors import DataError
from pydeeplab.net import Net

__all__ = ["BlobError", "Comparison", "compare", "ulp_distance"]


@dataclass(frozen=True)
class BlobError:
    """How far one array is from the recorded one.

    ``relative`` is the largest absolute error over the largest absolute recorded value (at least 1e-6); ``ulps`` the
    largest distance in units in the last place of float32. A wrong shape has infinite errors.
    """

    key: str
    layers: tuple[str, ...]
    shape: tuple[int, ...]
    expected_shape: tuple[int, ...]
    max_abs: float
    relative: float
    ulps: float
    within: bool


@dataclass(frozen=True)
class Comparison:
    """All compared arrays in running order (forward, then backward), and what could not be compared."""

    errors: tuple[BlobError, ...]
    tolerance: float
    not_recorded: tuple[str, ...]
    not_in_net: tuple[str, ...]

    @property
    def first_departure(self) -> BlobError | None:
        """The first array out of tolerance, or None."""
        return next((e for e in self.errors if not e.within), None)

    @property
    def departures(self) -> list[BlobError]:
        """The first blob out of tolerance on the way forward, and the first gradient on the way back; 0 to 2 items."""
        halves = ([e for e in self.errors if e.key.startswith("data/") is forward] for forward in (True, False))
        return [next(e for e in half if not e.within) for half in halves if not all(e.within for e in half)]

    @property
    def agrees(self) -> bool:
        """Whether something was compared and all of it is within tolerance."""
        return bool(self.errors) and self.first_departure is None

    def to_json(self) -> dict[str, object]:
        """Plain data for machines."""
        first = self.first_departure
        return {
            "agrees": self.agrees,
            "tolerance": self.tolerance,
            "first_departure": first.key if first else None,
            "departures": [e.key for e in self.departures],
            "errors": [asdict(e) for e in self.errors],
            "not_recorded": list(self.not_recorded),
            "not_in_net": list(self.not_in_net),
        }


def ulp_distance(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest distance in float32 steps; infinite where only one of the two is a NaN."""
    if not got.size:
        return 0.0
    a, b = (_ordered(np.ascontiguousarray(x, np.float32)) for x in (got, expected))
    nan_a, nan_b = np.isnan(got), np.isnan(expected)
    if (nan_a != nan_b).any():
        return float("inf")
    return float(np.where(nan_a, 0, np.abs(a - b)).max())


def _ordered(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Integers in the order of the floats, neighbours one apart, both zeros 0."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits, -(2**31) - bits)


def _measure(
    key: str, layers: tuple[str, ...], got: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float
) -> BlobError:
    if got.shape != expected.shape:
        inf = float("inf")
        return BlobError(key, layers, got.shape, expected.shape, inf, inf, inf, False)
    a, b = got.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    difference = np.where(np.isnan(difference), np.inf, difference)
    largest = float(difference.max(initial=0.0))
    finite = np.abs(b[np.isfinite(b)])
    relative = largest / max(float(finite.max(initial=0.0)), 1e-6)
    return BlobError(
        key, layers, got.shape, expected.shape, largest, relative, ulp_distance(got, expected), relative <= tolerance
    )


def _makers(net: Net) -> dict[str, tuple[str, ...]]:
    """The layers that write each blob: its maker and those that work on it in place."""
    makers: dict[str, tuple[str, ...]] = {}
    for node in net.nodes:
        for top in node.top_names:
            makers[top] = (*makers.get(top, ()), node.name)
    return makers


def compare(net: Net, dump: Dump, *, tolerance: float = 1e-5, backward: bool | None = None) -> Comparison:
    """Run ``net`` (which keeps all blobs) on the dump's inputs and compare every recorded array.

    Parameters
    ----------
    tolerance
        Largest allowed `BlobError.relative`.
    backward
        Compare gradients too; by default if the dump has any.

    Raises
    ------
    DataError
        The dump lacks an input of the net, has nothing in common with it, or holds parameters of other shapes.
    """
    inputs = {n: dump.inputs.get(n, dump.data.get(n)) for n in net.inputs}
    absent = [n for n, a in inputs.items() if a is None]
    if absent:
        raise DataError(
            f"the dump has no values for inputs of the net: {', '.join(absent)}; record them as 'in/<blob>'"
        )
    for key, values in dump.param.items():
        layer, _, index = key.rpartition("/")
        blobs = net.params.get(layer, ())
        if index.isdecimal() and int(index) < len(blobs):
            put(blobs[int(index)].data, values, f"param/{key}")
    if backward is None:
        backward = bool(dump.diff or dump.pdiff)
    ours = record(net, {n: a for n, a in inputs.items() if a is not None}, backward=backward, topdiff=dump.topdiff)
    makers = _makers(net)

    def pairs() -> Iterator[tuple[str, tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]]:
        for name, values in ours.data.items():
            if name in dump.data:
                yield f"data/{name}", makers.get(name, ()), values, dump.data[name]
        for node in reversed(net.nodes if backward else []):
            for i in range(len(node.layer.blobs)):
                key = f"{node.name}/{i}"
                if key in dump.pdiff:
                    yield f"pdiff/{key}", (node.name,), ours.pdiff[key], dump.pdiff[key]
            for name in node.bottom_names:
                if name in dump.diff:
                    yield f"diff/{name}", (node.name,), ours.diff[name], dump.diff[name]

    unique = {key: (key, layers, got, expected) for key, layers, got, expected in pairs()}
    errors = tuple(_measure(*pair, tolerance) for pair in unique.values())
    if not errors:
        raise DataError("the dump and the net have no blob in common; was the dump recorded with this net?")
    halves = [("data", ours.data, dump.data)] + ([("pdiff", ours.pdiff, dump.pdiff)] if backward else [])
    return Comparison(
        errors,
        tolerance,
        tuple(f"{k}/{n}" for k, mine, theirs in halves for n in mine if n not in theirs),
        tuple(f"{k}/{n}" for k, mine, theirs in halves for n in theirs if n not in mine),
    )
