"""Running a net on more items than one batch holds: the arithmetic of pycaffe's ``forward_all``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.errors import UsageError

if TYPE_CHECKING:
    from pydeeplab.net import Net

__all__ = ["batches", "forward_all", "forward_backward_all"]

Arrays = dict[str, NDArray[Any]]


def batches(given: Mapping[str, ArrayLike], size: int) -> Iterator[Arrays]:
    """Cut arrays along their first axis into batches of ``size``; the last is filled up with zeros.

    Raises
    ------
    UsageError
        There are no arrays, or they differ in their number of items.
    """
    arrays = {name: np.asarray(values) for name, values in given.items()}
    count = _count(arrays)
    for start in range(0, count, size):
        batch = {name: array[start : start + size] for name, array in arrays.items()}
        missing = size - min(size, count - start)
        if missing:
            batch = {n: np.concatenate([a, np.zeros((missing, *a.shape[1:]), a.dtype)]) for n, a in batch.items()}
        yield batch


def _count(arrays: Mapping[str, NDArray[Any]]) -> int:
    """The number of items that all arrays have."""
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if not counts:
        raise UsageError("give the items as name=array; the net's own data layers are run by forward()")
    if len(set(counts.values())) > 1 or not min(counts.values()):
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise UsageError(f"all arrays must have the same number of items, at least 1; got {listed}")
    return next(iter(counts.values()))


def _joined(parts: Iterable[Mapping[str, NDArray[Any]]], names: Sequence[str], items: int, runs: int) -> Arrays:
    """Results of all batches, one behind the other, without those of the items that filled the last one up.

    Scalars, such as losses, give one value per batch.
    """
    collected: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for part in parts:
        for name in names:
            collected[name].append(np.atleast_1d(part[name]))
    results = {name: np.concatenate(arrays) for name, arrays in collected.items()}
    full = {name: len(arrays[0]) * len(arrays) for name, arrays in collected.items()}
    excess = -items % runs
    return {name: a[:-excess] if excess and full[name] == items + excess else a for name, a in results.items()}


def _batch_size(net: Net) -> int:
    """Items in one batch: the first axis of the net's first blob, as in pycaffe."""
    shape = next(iter(net.blobs.values())).shape
    if not shape:
        raise UsageError("the net's first blob is a scalar: it has no batch axis")
    return shape[0]


def forward_all(net: Net, blobs: Sequence[str] | None, given: Mapping[str, ArrayLike]) -> Arrays:
    """See `pydeeplab.Net.forward_all`."""
    size = _batch_size(net)
    names = list(dict.fromkeys((*net.outputs, *(blobs or ()))))
    items = _count({name: np.asarray(values) for name, values in given.items()})
    parts = []
    for batch in batches(given, size):
        parts.append({name: view.copy() for name, view in net.forward(blobs, None, None, **batch).items()})
    return _joined(parts, names, items, size)


def forward_backward_all(
    net: Net, blobs: Sequence[str] | None, diffs: Sequence[str] | None, given: Mapping[str, ArrayLike]
) -> tuple[Arrays, Arrays]:
    """See `pydeeplab.Net.forward_backward_all`."""
    size = _batch_size(net)
    unknown = [name for name in given if name not in (*net.inputs, *net.outputs)]
    if unknown:
        raise UsageError(
            f"Input blob arguments do not match net inputs. '{unknown[0]}' is neither an input "
            f"({', '.join(net.inputs) or 'none'}) nor an output ({', '.join(net.outputs)})"
        )
    forward = {name: given[name] for name in net.inputs if name in given}
    backward = {name: given[name] for name in net.outputs if name in given}
    items = _count({name: np.asarray(values) for name, values in (forward or backward).items()})
    forward_names = list(dict.fromkeys((*net.outputs, *(blobs or ()))))
    backward_names = list(dict.fromkeys((*net.inputs, *(diffs or ()))))
    ahead, back = [], []
    forward_batches: Iterable[Arrays] = batches(forward, size) if forward else ()
    backward_batches: Iterable[Arrays] = batches(backward, size) if backward else ()
    nothing: Arrays = {}
    for inputs, gradients in zip_longest(forward_batches, backward_batches, fillvalue=nothing):
        ahead.append({name: view.copy() for name, view in net.forward(blobs, None, None, **inputs).items()})
        back.append({name: view.copy() for name, view in net.backward(diffs, None, None, **gradients).items()})
    return _joined(ahead, forward_names, items, size), _joined(back, backward_names, items, size)
