"""Steps of several layers that are run as one, where only the last one's top is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import TEST, Layer
from pydeeplab.layers.convolution import Convolution, Epilogue, Picture
from pydeeplab.node import Node, reraise

__all__ = [
    *("AFFINE", "AffineChain", "Chain", "ConvolutionChain", "Merged", "ResidualChain", "SumChain"),
    *("has_stored_statistics", "terms_of"),
]

Array = NDArray[Any]

AFFINE = ("BatchNorm", "Scale", "Bias")
"""Types of layers that may multiply and shift whole channels."""


def has_stored_statistics(layer: Layer) -> bool:
    """Whether a BatchNorm layer normalizes by what it has stored rather than by what it sees."""
    param = layer.param.batch_norm_param
    return bool(param.use_global_stats) if param.HasField("use_global_stats") else layer.phase == TEST


def terms_of(total: Node | Merged) -> list[tuple[Blob, Sequence[Blob]]]:
    """The top of a sum and the terms that it may be written into."""
    return [(total.tops[0], total.bottoms[:2])]


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

    @property
    def name(self) -> str:
        """The names of the merged layers."""
        return "+".join(node.name for node in self.nodes)

    @property
    def parts(self) -> Sequence[Merged]:
        """Itself; a step may have several parts that run side by side."""
        return [self]

    @property
    def multiply_adds(self) -> int:
        """Multiply-accumulate operations of one forward pass."""
        return self.layer.multiply_adds(self.bottoms, self.tops)

    def overwritable(self) -> list[tuple[Blob, Sequence[Blob]]]:
        """Tops and for each the bottoms whose memory it may be written into: each value is read before it is
        replaced."""
        return []

    def forward(self) -> None:
        """Compute the tops from the bottoms."""
        raise NotImplementedError

    def loss(self) -> float:
        """Such layers are no losses."""
        return 0.0


class Chain(Merged):
    """Nodes that each work on the top of the one before, perhaps with a ReLU at the end."""

    def __init__(self, nodes: Sequence[Node]):
        super().__init__(nodes)
        relu = [node.layer for node in nodes[1:] if node.layer.type == "ReLU"]
        self._relu = bool(relu)
        self._slope = float(relu[0].param.relu_param.negative_slope) if relu else 0.0
        self._affine = _Affine([n.layer for n in nodes if n.layer.type in AFFINE], self.tops[0].dtype)
        self._shapes: list[tuple[int, ...]] | None = None

    def prepare(self) -> None:
        """Reshape if a bottom's shape has changed."""
        shapes = [blob.shape for blob in self.bottoms]
        if self._shapes != shapes:
            self._shapes = None  # an error leaves the nodes at different shapes
            for node in self.nodes:
                node.reshape()
            self._shapes = shapes

    def forward(self) -> None:
        """Compute the last top from the first bottoms."""
        self.prepare()
        try:
            self._compute(self.bottoms, self.tops[0])
        except Exception as error:
            reraise(error, self.layer)

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        raise NotImplementedError


class AffineChain(Chain):
    """Layers that multiply and shift whole channels, and perhaps a ReLU."""

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        flat = (top.shape[0], top.shape[1], -1)
        scale, shift = self._affine.coefficients()
        self.layer.kernels.channel_affine_forward(
            bottoms[0].read().reshape(flat), top.write().reshape(flat), scale, shift, self._slope, self._relu
        )


class ConvolutionChain(Chain):
    """A convolution, layers that multiply and shift its channels, and perhaps a ReLU."""

    layer: Convolution

    @property
    def is_one_pass(self) -> bool:
        """Whether the convolution's last pass does everything, at the present shape."""
        return True

    @property
    def epilogue(self) -> Epilogue | None:
        """What the convolution's last pass does for the nodes behind it."""
        if len(self.nodes) == 1:
            return None
        scale, shift = self._affine.coefficients()
        return Epilogue(scale, shift, self._relu, self._slope)

    def picture(self) -> Picture:
        """What that pass reads and writes."""
        return self.layer.picture(self.bottoms[0], self.tops[0])

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        self.layer.forward_pictures([self.picture()], self.epilogue)


class ResidualChain(ConvolutionChain):
    """A convolution with what is merged into it, and the sum of its values and another blob, perhaps with a ReLU."""

    def __init__(self, first: Node | Merged, total: Node | Merged):
        super().__init__([*first.nodes, *total.nodes])
        values = first.tops[0]
        (self._other,) = (blob for blob in total.bottoms if blob is not values)
        self.bottoms = [*first.bottoms, self._other]
        self.within = [values]
        self._apart = first, total

    @property
    def is_one_pass(self) -> bool:
        """Whether the convolution's engine adds the other blob, at the present shape."""
        return self.layer.takes_sums

    def picture(self) -> Picture:
        """See `ConvolutionChain.picture`."""
        return self.layer.picture(self.bottoms[0], self.tops[0], self._other)

    def overwritable(self) -> list[tuple[Blob, Sequence[Blob]]]:
        """See `Merged.overwritable`."""
        image, other = self.bottoms
        return [] if other.data_storage is image.data_storage else [(self.tops[0], [other])]

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        if self.is_one_pass:
            super()._compute(bottoms, top)
        else:
            for step in self._apart:
                step.forward()


class SumChain(Chain):
    """A sum of blobs and a ReLU."""

    def overwritable(self) -> list[tuple[Blob, Sequence[Blob]]]:
        """See `Merged.overwritable`."""
        return terms_of(self)

    def _compute(self, bottoms: Sequence[Blob], top: Blob) -> None:
        self.layer.forward_sum(bottoms, top, relu=True)  # type: ignore[attr-defined]


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
