"""What a net costs: parameters, multiply-adds, and memory of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydeeplab.net import Net
    from pydeeplab.node import Node
    from pydeeplab.params import Param

__all__ = ["Parameters", "activation_peak", "count_parameters", "multiply_adds", "new_activations"]

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters; those shared by several layers count once, at the first.

    Attributes
    ----------
    learned
        Weights, biases and factors with a learning-rate multiplier above 0.
    frozen
        The same with a multiplier of 0.
    statistics
        Means and variances of BatchNorm, which no solver changes.
    """

    learned: int = 0
    frozen: int = 0
    statistics: int = 0

    @property
    def weights(self) -> int:
        """Learned and frozen, without statistics: what papers count."""
        return self.learned + self.frozen

    @property
    def total(self) -> int:
        """Everything that a weight file holds."""
        return self.weights + self.statistics

    def __add__(self, other: Parameters) -> Parameters:
        return Parameters(self.learned + other.learned, self.frozen + other.frozen, self.statistics + other.statistics)


def _counted(param: Param) -> Parameters:
    """One parameter blob, in the column where it belongs."""
    count, kind = param.blob.count, param.layer.type
    if kind == "BatchNorm" or (kind == "BN" and param.blob_index >= 2):
        return Parameters(statistics=count)
    return Parameters(learned=count) if param.lr_mult else Parameters(frozen=count)


def count_parameters(net: Net) -> list[Parameters]:
    """The parameters that each layer owns, in the order of ``net.nodes``."""
    counts = {id(node.layer): Parameters() for node in net.nodes}
    for param in net.learnable_params:
        counts[id(param.layer)] += _counted(param)
    return [counts[id(node.layer)] for node in net.nodes]


def multiply_adds(node: Node) -> int:
    """Multiply-accumulate operations of one forward pass of a layer."""
    return node.layer.multiply_adds(node.bottoms, node.tops)


def new_activations(net: Net) -> list[int]:
    """Elements of the memory that each layer is the first to use, in the order of ``net.nodes``.

    Layers that work in place or hand on their bottom (Split, Reshape) use none.
    """
    seen: set[int] = set()
    counts = []
    for node in net.nodes:
        count = 0
        for top in node.tops:
            if id(top.data_storage) not in seen:
                seen.add(id(top.data_storage))
                count += top.count
        counts.append(count)
    return counts


def activation_peak(net: Net) -> tuple[int, str]:
    """The most elements that live at the same time when memory is handed on after its last reader, and where.

    Inputs and outputs live for ever. Scratch memory of the convolutions is not counted.
    """
    last: dict[int, int] = {}
    size: dict[int, int] = {}
    for index, node in enumerate(net.nodes):
        for blob in (*node.bottoms, *node.tops):
            key = id(blob.data_storage)
            last[key] = index
            size[key] = max(size.get(key, 0), blob.count)
    for name in (*net.inputs, *net.outputs):
        if name in net.blobs:
            last[id(net.blobs[name].data_storage)] = len(net.nodes)
    live: set[int] = set()
    peak, where = 0, ""
    for index, node in enumerate(net.nodes):
        live |= {id(top.data_storage) for top in node.tops}
        now = sum(size[key] for key in live)
        if now > peak:
            peak, where = now, node.name
        live = {key for key in live if last[key] > index}
    return peak, where
