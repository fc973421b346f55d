"""Layers that are run as one where only the last one's top is wanted.

Convolutions take the BatchNorm (with stored statistics), Scale, Bias and ReLU behind them into the pass that writes
their values, and so they take a sum with another blob and its ReLU where their engine can; without a convolution before
them such layers are one pass ``y = relu(scale * x + shift)``; a sum of blobs and the ReLU behind it are one pass.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import TEST, Layer
from pydeeplab.layers.convolution import Epilogue
from pydeeplab.node import Node, reraise

__all__ = ["AffineChain", "ConvolutionChain", "Merged", "ResidualChain", "SumChain", "merge", "overwritable"]

Array = NDArray[Any]


class _Affine:
    """Several layers that multiply and shift channels as one scale and shift, computed anew when parameters change."""

    def __init__(self, layers: Sequence[Layer], dtype: np.dtype[Any]):
        self._layers, self._dtype = layers, dtype
        self._blobs = [blob for layer in layers for blob in layer.blobs]
        self._versions: list[tuple[int, int]] | None = None
        self._found: tuple[Array, Array] | tuple[None, None] = (None, None)

    def coefficients(self) -> tuple[Array, Array] | tuple[None, None]:
        """Scale and shift per channel; None if there are no layers."""
        versions = [(id(b.data_storage), b.data_storage.version) for b in self._blobs]
        if self._layers and versions != self._versions:
            scale, shift = _coefficients(self._layers[0])
            for layer in self._layers[1:]:
                factor, offset = _coefficients(layer)
                scale, shift = scale * factor, shift * factor + offset
            self._found = self._array(scale), self._array(shift)
            self._versions = versions
        return self._found

    def _array(self, values: NDArray[np.float64]) -> Array:
        """The values where kernels can read them."""
        array = self._layers[0].context.backend.empty(values.size, self._dtype)
        array[...] = values
        return array


class Merged:
    """Nodes that run as one and take their place among the nodes of a net.

    The blobs between them are not written, except for those ``within``.
    """

    within: Sequence[Blob] = ()
    """Blobs between the nodes that a forward may write and read."""

    def __init__(self, nodes: Sequence[Node]):
        self.nodes = list(nodes)
        self.layer = nodes[0].layer
        self.bottoms, self.tops = nodes[0].bottoms, nodes[-1].tops
        relu = [node.layer for node in nodes[1:] if node.layer.type == "ReLU"]
        self._relu = bool(relu)
        self._slope = float(relu[0].param.relu_param.negative_slope) if relu else 0.0
        self._affine = _Affine([n.layer for n in nodes if n.layer.type in _AFFINE], self.tops[0].dtype)
        self._shapes: list[tuple[int, ...]] | None = None

    @property
    def name(self) -> str:
        """The names of the merged layers."""
        return "+".join(node.name for node in self.nodes)

    def forward(self) -> None:
        """Compute the last top from the first bottoms."""
        try:
            if self._shapes != [blob.shape for blob in self.bottoms]:
                for node in self.nodes:
                    node.reshape()
                self._shapes = [blob.shape for blob in self.bottoms]
            self._compute(self.bottoms, self.tops[0])
        except Exception as error:
            reraise(error, self.layer)

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        raise NotImplementedError

    def loss(self) -> float:
        """Such layers are no losses."""
        return 0.0


class AffineChain(Merged):
    """Layers that multiply and shift whole channels, and perhaps a ReLU."""

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        flat = (top.shape[0], top.shape[1], -1)
        scale, shift = self._affine.coefficients()
        self.layer.kernels.channel_affine_forward(
            bottoms[0].read().reshape(flat), top.write().reshape(flat), scale, shift, self._slope, self._relu
        )


class ConvolutionChain(Merged):
    """A convolution, layers that multiply and shift its channels, and perhaps a ReLU."""

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        scale, shift = self._affine.coefficients()
        self.layer.forward_fused(bottoms, [top], Epilogue(scale, shift, self._relu, self._slope))  # type: ignore[attr-defined]


class ResidualChain(ConvolutionChain):
    """A convolution with what is merged into it, and the sum of its values and another blob, perhaps with a ReLU."""

    def __init__(self, first: Sequence[Node], total: Sequence[Node]):
        super().__init__([*first, *total])
        values = first[-1].tops[0]
        (self._other,) = (blob for blob in total[0].bottoms if blob is not values)
        self.bottoms = [*first[0].bottoms, self._other]
        self.within = [values]
        self._apart = _step(first), _step(total)

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        convolution: Any = self.layer
        if convolution.takes_sums:
            scale, shift = self._affine.coefficients()
            epilogue = Epilogue(scale, shift, self._relu, self._slope)
            convolution.forward_fused(bottoms[:1], [top], epilogue, self._other)
        else:
            for step in self._apart:
                step.forward()


class SumChain(Merged):
    """A sum of blobs and a ReLU."""

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        self.layer.forward_sum(bottoms, top, relu=True)  # type: ignore[attr-defined]


_AFFINE = ("BatchNorm", "Scale", "Bias")


def _is_affine(node: Node) -> bool:
    """Whether the node multiplies and shifts whole channels by parameters of its own."""
    layer = node.layer
    if layer.type not in _AFFINE or len(node.bottoms) != 1 or len(node.bottoms[0].shape) < 2:
        return False
    if layer.type == "BatchNorm":
        param = layer.param.batch_norm_param
        return bool(param.use_global_stats) if param.HasField("use_global_stats") else layer.phase == TEST
    axis = layer.param.scale_param.axis if layer.type == "Scale" else layer.param.bias_param.axis
    return axis == 1 and all(b.shape == (node.bottoms[0].shape[1],) for b in layer.blobs)


def _coefficients(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift per channel of one affine layer."""
    values = [blob.look().astype(np.float64) for blob in layer.blobs]
    if layer.type == "BatchNorm":
        mean, variance, factor = values
        norm = 0.0 if factor[0] == 0 else 1 / factor[0]
        scale = 1 / np.sqrt(variance * norm + layer.param.batch_norm_param.eps)
        return scale, -mean * norm * scale
    if layer.type == "Scale":
        return values[0], values[1] if len(values) > 1 else np.zeros_like(values[0])
    return np.ones_like(values[0]), values[0]


def _adds(node: Node | Merged) -> bool:
    """Whether the node is a sum of blobs."""
    param = node.layer.param.eltwise_param
    return bool(node.layer.type == "Eltwise" and param.operation == param.SUM)


def overwritable(step: Node | Merged) -> Sequence[Blob]:
    """The bottoms whose memory a step may write its top into: terms of a sum, each value read before it is replaced."""
    if isinstance(step, ResidualChain):
        image, other = step.bottoms
        return [] if other.data_storage is image.data_storage else [other]
    return step.bottoms[:2] if _adds(step) else []


def _convolves(node: Node) -> bool:
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
            merged[-1] = ResidualChain(before, chain)
        else:
            merged.append(_step(chain))
    return merged


def _step(chain: Sequence[Node]) -> Node | Merged:
    first = chain[0]
    if len(chain) == 1:
        return first
    if _convolves(first):
        return ConvolutionChain(chain)
    return SumChain(chain) if _adds(first) else AffineChain(chain)


def _takes(chain: Sequence[Node], total: Sequence[Node], kept: Container[int]) -> bool:
    """Whether a chain can be one with the next, as a convolution whose values nobody but a sum of two blobs sees."""
    node = total[0]
    if not _convolves(chain[0]) or chain[-1].layer.type == "ReLU" or not _adds(node):
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
    if any(first.layer.loss_weights) or not (_convolves(first) or _adds(first) or _is_affine(first)):
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
