"""Running a net for its outputs only: blobs share memory as their lifetimes allow, pointwise runs are merged.

BatchNorm with stored statistics, Scale, Bias and ReLU that follow each other in place are one pass
``y = relu(scale * x + shift)`` over the blob; the memory of a blob is handed on after its last reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend
from pydeeplab.blob import Blob, MemoryPool, Storage
from pydeeplab.layer import TEST, Layer
from pydeeplab.node import Node, reraise

__all__ = ["AffineChain", "LeanPlan", "merge_affine"]


def _is_affine(node: Node) -> bool:
    """Whether the node multiplies and shifts whole channels by parameters of its own."""
    layer = node.layer
    if len(node.bottoms) != 1 or len(node.tops) != 1 or len(node.bottoms[0].shape) < 2 or any(layer.loss_weights):
        return False
    if layer.type == "BatchNorm":
        param = layer.param.batch_norm_param
        return bool(param.use_global_stats) if param.HasField("use_global_stats") else layer.phase == TEST
    channels = (node.bottoms[0].shape[1],)
    if layer.type == "Scale":
        return layer.param.scale_param.axis == 1 and all(b.shape == channels for b in layer.blobs)
    return layer.type == "Bias" and layer.param.bias_param.axis == 1 and layer.blobs[0].shape == channels


def _coefficients(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift per channel of one affine layer."""
    values = [blob.read().astype(np.float64) for blob in layer.blobs]
    if layer.type == "BatchNorm":
        mean, variance, factor = values
        norm = 0.0 if factor[0] == 0 else 1 / factor[0]
        scale = 1 / np.sqrt(variance * norm + layer.param.batch_norm_param.eps)
        return scale, -mean * norm * scale
    if layer.type == "Scale":
        return values[0], values[1] if len(values) > 1 else np.zeros_like(values[0])
    return np.ones_like(values[0]), values[0]


class AffineChain:
    """Several affine nodes, and perhaps a ReLU, run as one; takes their place among the nodes."""

    def __init__(self, nodes: Sequence[Node]):
        self.nodes = list(nodes)
        self.layer = nodes[0].layer
        self.bottoms, self.tops = nodes[0].bottoms, nodes[-1].tops
        self._affine = [n.layer for n in nodes if n.layer.type != "ReLU"]
        relu = [n.layer for n in nodes if n.layer.type == "ReLU"]
        self._relu = bool(relu)
        self._slope = float(relu[0].param.relu_param.negative_slope) if relu else 0.0
        self._blobs = [blob for layer in self._affine for blob in layer.blobs]
        self._versions: list[tuple[int, int]] | None = None
        self._scale = self._shift = np.empty(0)

    @property
    def name(self) -> str:
        """The names of the merged layers."""
        return "+".join(node.name for node in self.nodes)

    def _refresh(self, dtype: np.dtype[Any]) -> None:
        versions = [(id(b.data_storage), b.data_storage.version) for b in self._blobs]
        if versions == self._versions:
            return
        scale, shift = _coefficients(self._affine[0])
        for layer in self._affine[1:]:
            factor, offset = _coefficients(layer)
            scale, shift = scale * factor, shift * factor + offset
        self._scale, self._shift = scale.astype(dtype), shift.astype(dtype)
        self._versions = versions

    def forward(self) -> None:
        """Compute the last top from the first bottom in one pass."""
        try:
            self._forward(self.bottoms[0], self.tops[0])
        except Exception as error:
            reraise(error, self.layer)

    def _forward(self, bottom: Blob, top: Blob) -> None:
        top.reshape_like(bottom)
        self._refresh(bottom.dtype)
        flat = (bottom.shape[0], bottom.shape[1], -1)
        self.layer.kernels.channel_affine_forward(
            bottom.read().reshape(flat), top.write().reshape(flat), self._scale, self._shift, self._slope, self._relu
        )

    def loss(self) -> float:
        """Such layers are no losses."""
        return 0.0


def merge_affine(nodes: Sequence[Node]) -> list[Node | AffineChain]:
    """Replace runs of two or more affine nodes (and a final ReLU), each in place on the one before, by one chain."""
    merged: list[Node | AffineChain] = []
    index = 0
    while index < len(nodes):
        end = index
        while end < len(nodes) and _is_affine(nodes[end]) and (end == index or _continues(nodes[end - 1], nodes[end])):
            end += 1
        if (
            end > index
            and end < len(nodes)
            and nodes[end].layer.type == "ReLU"
            and _continues(nodes[end - 1], nodes[end])
        ):
            end += 1
        if end - index >= 2:
            merged.append(AffineChain(nodes[index:end]))
            index = end
        else:
            merged.append(nodes[index])
            index += 1
    return merged


def _continues(before: Node, node: Node) -> bool:
    """Whether ``node`` works in place on the top of ``before``."""
    return len(node.bottoms) == 1 and node.bottoms[0] is before.tops[0] and node.tops[0] is before.tops[0]


class LeanPlan:
    """The merged nodes, the pool their blobs draw on, and which memory is free after which node.

    Parameters
    ----------
    kept : blobs
        Never given up, nor are the tops of layers without bottoms (inputs and data).
    """

    def __init__(self, nodes: Sequence[Node], kept: Sequence[Blob], backend: Backend, dtype: np.dtype[Any]):
        for node in nodes:
            node.layer.need_backward = False
        self.nodes = merge_affine(nodes)
        self._pool = MemoryPool(backend, dtype)
        self._sources = [n for n in nodes if not n.bottoms]
        pinned = {id(b.data_storage) for b in (*kept, *(t for n in self._sources for t in n.tops))}
        storages: dict[int, Storage] = {}
        last: dict[int, int] = {}
        for index, step in enumerate(self.nodes):
            for blob in (*step.bottoms, *step.tops):
                storages[id(blob.data_storage)] = blob.data_storage
                last[id(blob.data_storage)] = index
        self._pinned = [s for key, s in storages.items() if key in pinned]
        self._released: list[list[Storage]] = [[] for _ in self.nodes]
        for key, index in last.items():
            if key not in pinned:
                storages[key].pool = self._pool
                self._released[index].append(storages[key])
        self._shapes: list[tuple[int, ...]] = []

    @property
    def nbytes(self) -> int:
        """Bytes of activations that one forward needs."""
        return sum(s.capacity * s.dtype.itemsize for s in self._pinned) + self._pool.nbytes

    def steps(self) -> Iterator[Node | AffineChain]:
        """The nodes in running order; after each, the memory that it was the last to use is handed on."""
        shapes = [top.shape for node in self._sources for top in node.tops]
        if shapes != self._shapes:
            self._pool.clear()
            self._shapes = shapes
        for node, released in zip(self.nodes, self._released, strict=True):
            yield node
            for storage in released:
                storage.release()
