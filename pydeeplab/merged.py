"""Which layers are run as one where only the last one's top is wanted.

Convolutions take the BatchNorm (with stored statistics), Scale, Bias and ReLU behind them into the pass that writes
their values, and so they take a sum with another blob and its ReLU where their engine can; without a convolution before
them such layers are one pass ``y = relu(scale * x + shift)``; a sum of blobs and the ReLU behind it are one pass.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from pydeeplab.blob import Blob
from pydeeplab.chains import (
    AFFINE,
    AffineChain,
    ConvolutionChain,
    Merged,
    ResidualChain,
    SumChain,
    has_stored_statistics,
    terms_of,
)
from pydeeplab.node import Node

__all__ = ["convolves", "merge", "overwritable"]


def _is_affine(node: Node) -> bool:
    """Whether the node multiplies and shifts whole channels by parameters of its own."""
    layer = node.layer
    if layer.type not in AFFINE or len(node.bottoms) != 1 or len(node.bottoms[0].shape) < 2:
        return False
    if layer.type == "BatchNorm":
        return has_stored_statistics(layer)
    axis = layer.param.scale_param.axis if layer.type == "Scale" else layer.param.bias_param.axis
    return axis == 1 and all(b.shape == (node.bottoms[0].shape[1],) for b in layer.blobs)


def _adds(node: Node | Merged) -> bool:
    """Whether the node is a sum of blobs."""
    param = node.layer.param.eltwise_param
    return bool(node.layer.type == "Eltwise" and param.operation == param.SUM)


def overwritable(step: Node | Merged) -> list[tuple[Blob, Sequence[Blob]]]:
    """See `Merged.overwritable`; the same of nodes, where sums are written into terms."""
    if isinstance(step, Merged):
        return step.overwritable()
    return terms_of(step) if _adds(step) else []


def convolves(node: Node) -> bool:
    """Whether the node is a convolution of one bottom."""
    return node.layer.type == "Convolution" and len(node.bottoms) == 1 and len(node.tops[0].shape) > 1


def merge(nodes: Sequence[Node], kept: Container[int]) -> list[Node | Merged]:
    """Replace runs of nodes that can be one, each working on the top of the one before, by one.

    Parameters
    ----------
    kept : container
        Ids of the storages of data that must hold what their blobs are named for.
    """
    chains: list[Sequence[Node]] = []
    index = 0
    while index < len(nodes):
        end = _chain_end(nodes, index, kept)
        chains.append(nodes[index:end])
        index = end
    merged: list[Node | Merged] = []
    for chain, before in zip(chains, [None, *chains], strict=False):
        if before and _takes(before, chain, kept):
            merged[-1] = ResidualChain(merged[-1], _step(chain))
        else:
            merged.append(_step(chain))
    return merged


def _step(chain: Sequence[Node]) -> Node | Merged:
    first = chain[0]
    if len(chain) == 1:
        return first
    if convolves(first):
        return ConvolutionChain(chain)
    return SumChain(chain) if _adds(first) else AffineChain(chain)


def _takes(chain: Sequence[Node], total: Sequence[Node], kept: Container[int]) -> bool:
    """Whether a chain can be one with the next, as a convolution whose values nobody but a sum of two blobs sees."""
    node = total[0]
    if not convolves(chain[0]) or chain[-1].layer.type == "ReLU" or not _adds(node):
        return False
    values = chain[-1].tops[0]
    if any(weight for each in (chain[0], node) for weight in each.layer.loss_weights):
        return False
    if len(node.bottoms) != 2 or sum(blob is values for blob in node.bottoms) != 1:
        return False
    return all(c == 1 for c in node.layer.param.eltwise_param.coeff) and id(values.data_storage) not in kept


def _chain_end(nodes: Sequence[Node], begin: int, kept: Container[int]) -> int:
    """The end of the longest run of nodes from ``begin`` on that can be one."""
    first = nodes[begin]
    end = begin + 1
    if any(first.layer.loss_weights) or not (convolves(first) or _adds(first) or _is_affine(first)):
        return end
    while not _adds(first) and end < len(nodes) and _is_affine(nodes[end]) and _continues(nodes, end, kept):
        end += 1
    if end < len(nodes) and nodes[end].layer.type == "ReLU" and _continues(nodes, end, kept):
        leaky = nodes[end].layer.param.relu_param.negative_slope != 0
        end += not (leaky and _adds(first))
    return end


def _continues(nodes: Sequence[Node], index: int, kept: Container[int]) -> bool:
    """Whether a node works on the top of the one before, which nobody else wants to see."""
    before, node = nodes[index - 1].tops[0], nodes[index]
    if len(node.bottoms) != 1 or node.bottoms[0] is not before or any(node.layer.loss_weights):
        return False
    return node.tops[0] is before or id(before.data_storage) not in kept
