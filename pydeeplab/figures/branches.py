"""The atrous branches of a net, as they stand in its prototxt, and what they see of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pydeeplab.analysis import Field, field_of_view, receptive_fields
from pydeeplab.errors import UsageError, counted
from pydeeplab.net import Net
from pydeeplab.node import Node

__all__ = ["Branch", "Window", "branches_of", "sensitivity", "windows_of"]


@dataclass(frozen=True)
class Window:
    """A kind of convolution in a net: its kernel, rate, stride of its input, and how many layers have it."""

    kernel: int
    rate: int
    step: int
    layers: int

    @property
    def span(self) -> int:
        """Elements from the first tap to the last."""
        return (self.kernel - 1) * self.rate + 1


@dataclass(frozen=True)
class Branch:
    """One convolution on the net's last feature map.

    Attributes
    ----------
    layer : str
    kernel, rate : int
    step : int
        Input pixels from one element of the feature map to the next.
    below : Field
        The receptive field of the feature map's elements.
    field : Field
        The receptive field of the branch's outputs.
    view : int or None
        The nominal field of view, as the paper's table 1 counts it.
    top : str
    """

    layer: str
    kernel: int
    rate: int
    step: int
    below: Field
    field: Field
    view: int | None
    top: str

    def taps(self, element: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Row and column, in input pixels, of the feature map's elements that an output element reads."""
        half = (self.kernel - 1) / 2
        for i in range(self.kernel):
            for j in range(self.kernel):
                rows, columns = (
                    round((e + (k - half) * self.rate) * self.step) for e, k in zip(element, (i, j), strict=True)
                )
                yield rows, columns

    def seen(self, element: tuple[int, int]) -> tuple[int, int, int, int]:
        """First and last row, first and last column of the input that an output element depends on."""
        row, column = element
        rows, columns = self.field.height, self.field.width
        return rows.first[row], rows.last[row], columns.first[column], columns.last[column]


def _convolutions(net: Net) -> list[tuple[int, Node]]:
    """Convolutions with more than one tap, and their places in the net."""
    found = []
    for index, node in enumerate(net.nodes):
        geometry = node.layer.geometry
        if node.layer.type == "Convolution" and geometry is not None and max(geometry.kernel) > 1:
            found.append((index, node))
    return found


def _origins(net: Net) -> dict[str, str]:
    """The blob that each copy of a split stands for."""
    origin: dict[str, str] = {}
    for node in net.nodes:
        if node.layer.type == "Split":
            origin.update((top, origin.get(node.bottom_names[0], node.bottom_names[0])) for top in node.top_names)
    return origin


def windows_of(net: Net) -> list[Window]:
    """The kinds of convolution with several taps, by rate and then kernel."""
    counts: dict[tuple[int, int, int], int] = {}
    known = _fields(net)
    for _, node in _convolutions(net):
        geometry, below = node.layer.geometry, known.get(node.bottom_names[0])
        assert geometry is not None
        if below is not None:
            key = (geometry.dilation[1], geometry.kernel[1], round(below.step[1]))
            counts[key] = counts.get(key, 0) + 1
    finest: dict[tuple[int, int], Window] = {}
    for (rate, kernel, step), layers in sorted(counts.items()):
        before = finest.get((rate, kernel))
        finest[rate, kernel] = Window(kernel, rate, step, layers + (before.layers if before else 0))
    return list(finest.values())


def _fields(net: Net) -> dict[str, Field]:
    """The receptive field of each blob whose layer has one top; copies of a split are those of its bottom."""
    known: dict[str, Field] = {}
    for node, field in zip(net.nodes, receptive_fields(net), strict=True):
        if field is not None:
            known.update((name, field) for name in node.top_names)
    return known


def branches_of(net: Net) -> list[Branch]:
    """The convolutions that read the net's last feature map side by side: several with ASPP, one with LargeFOV.

    They are the most numerous group of convolutions of more than one tap that have a bottom in common; of equals the
    last one. By rate.

    Raises
    ------
    UsageError
        The net has no such convolution.
    """
    origins, known = _origins(net), _fields(net)
    groups: dict[str, list[tuple[int, Node]]] = {}
    for index, node in _convolutions(net):
        bottom = node.bottom_names[0]
        if bottom in known and node.top_names[0] in known:
            groups.setdefault(origins.get(bottom, bottom), []).append((index, node))
    if not groups:
        raise UsageError("the net has no convolution of more than one tap: there is nothing to draw")
    chosen = max(groups.values(), key=lambda group: (len(group), group[-1][0]))
    fields = receptive_fields(net)
    branches = []
    for index, node in chosen:
        geometry, below, field = node.layer.geometry, known[node.bottom_names[0]], fields[index]
        assert geometry is not None
        assert field is not None
        view = field_of_view(node, below)
        step = round(below.step[1])
        branches.append(
            Branch(node.name, geometry.kernel[1], geometry.dilation[1], step, below, field, view, node.top_names[0])
        )
    return sorted(branches, key=lambda branch: (branch.rate, branch.kernel))


def sensitivity(
    net: Net, branch: Branch, element: tuple[int, int], data: str, *, projections: int = 4, seed: int = 0
) -> NDArray[np.float32]:
    """How much one output element of a branch changes with each pixel: the effective receptive field.

    Parameters
    ----------
    net : Net
        Run forward, with all blobs kept and gradients down to its input (``force_backward``).
    branch : Branch
    element : (int, int)
        Row and column in the branch's output.
    data : str
        The net's input.
    projections : int
        The gradients of this many random sums of the branch's channels, with signs of either kind, are squared and
        averaged, which estimates the sum of squares over channels.
    seed : int
        For the signs.

    Returns
    -------
    (H, W) float32
        The root of the summed squares over channels and colours.
    """
    random = np.random.default_rng(seed)
    height, width = net.blobs[data].shape[2:]
    total = np.zeros((height, width), np.float64)
    top = net.blobs[branch.top]
    if not (0 <= element[0] < top.shape[2] and 0 <= element[1] < top.shape[3]):
        raise UsageError(f"element {element} lies outside the branch's {counted(top.shape[2], 'row')}")
    for _ in range(projections):
        for blob in net.blobs.values():
            blob.diff[...] = 0
        top.diff[0, :, element[0], element[1]] = random.choice([-1.0, 1.0], top.shape[1])
        net.backward(start=branch.layer)
        total += (net.blobs[data].diff[0].astype(np.float64) ** 2).sum(axis=0)
    return np.sqrt(total / projections).astype(np.float32)
