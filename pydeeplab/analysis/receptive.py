"""Receptive fields: which input pixels an element of a blob depends on, and how far apart those of neighbours lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydeeplab.analysis.axis import Axis
from pydeeplab.layer import Geometry
from pydeeplab.placement import window_of

if TYPE_CHECKING:
    from pydeeplab.net import Net
    from pydeeplab.node import Node

__all__ = ["CLASSIFICATION_STRIDE", "Field", "field_of_view", "receptive_fields"]

CLASSIFICATION_STRIDE = 32
"""Output stride of VGG-16 and ResNet-101 as image classifiers, which DeepLab reduces to 8."""

GLOBAL = {"DenseCRF", "DomainTransform", "DomainTransformForwardOnly", "InnerProduct", "MVN", "SPP"}
"""Layers whose every output depends on the whole image."""

UNORDERED = {"BatchReindex", "Flatten", "Im2col", "Permute", "Reduction", "Reshape", "Tile"}
"""Layers whose tops do not lie on the image any more, or not in a way that can be followed."""


@dataclass(frozen=True)
class Field:
    """The receptive field of a blob's elements: height and width."""

    height: Axis = field(default_factory=Axis)
    width: Axis = field(default_factory=Axis)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in input pixels."""
        return self.height.size, self.width.size

    @property
    def step(self) -> tuple[float, float]:
        """Input pixels from one element to the next: the output stride."""
        return float(self.height.step), float(self.width.step)


def _union(fields: Iterable[Field | None]) -> Field | None:
    known = [f for f in fields if f is not None]
    if not known:
        return None
    return Field(Axis.union([f.height for f in known]), Axis.union([f.width for f in known]))


def _through_window(seen: Field, geometry: Geometry, transposed: bool) -> Field:
    axes = []
    for i, axis in enumerate((seen.height, seen.width)):
        window = (geometry.kernel[i], geometry.stride[i], geometry.pad[i], geometry.dilation[i])
        axes.append(axis.transposed(*window) if transposed else axis.window(*window))
    return Field(*axes)


def _through_interp(seen: Field, node: Node) -> Field:
    param = node.layer.param.interp_param
    crop = -param.pad_beg
    axes = []
    for i, axis in enumerate((seen.height, seen.width)):
        size = node.bottoms[0].shape[2 + i] + param.pad_beg + param.pad_end
        axes.append(axis.resampled(size, node.tops[0].shape[2 + i], crop))
    return Field(*axes)


def _through(node: Node, fields: Sequence[Field | None]) -> Field | None:
    """The field of a layer's tops, from those of its bottoms; None where it is the whole image or undefined."""
    layer = node.layer
    seen = _union(fields)
    spatial = [b.shape[2:] for b in (*node.bottoms[:1], *node.tops[:1])]
    if seen is None or layer.type in GLOBAL | UNORDERED or any(len(s) != 2 for s in spatial) or len(spatial) < 2:
        return None
    if None in fields and layer.type in ("Concat", "Eltwise"):
        return None
    geometry = window_of(node)
    if geometry is not None:
        if layer.type == "Pooling" and layer.param.pooling_param.global_pooling:
            return None
        return _through_window(seen, geometry, layer.type == "Deconvolution")
    if layer.type == "Interp":
        return _through_interp(seen, node)
    if layer.type == "Padding":
        crop = -layer.param.padding_param.pad_beg
        return Field(seen.height.shifted(crop), seen.width.shifted(crop))
    if layer.type == "Crop" and fields[0] is not None:
        offsets = list(layer.param.crop_param.offset) or [0]
        return Field(fields[0].height.shifted(offsets[0]), fields[0].width.shifted(offsets[-1]))
    return seen if spatial[0] == spatial[1] else None


def receptive_fields(net: Net) -> list[Field | None]:
    """The receptive field of each layer's first top, in the order of ``net.nodes``.

    None stands for the whole image (InnerProduct, DenseCRF, ...) or for blobs that do not lie on the image. Batch
    statistics count as constants.
    """
    known: dict[str, Field | None] = {}
    result = []
    for node in net.nodes:
        if node.bottom_names:
            try:
                seen = _through(node, [known.get(name) for name in node.bottom_names])
            except OverflowError:  # odd resizing ratios one after the other
                seen = None
        else:
            seen = Field() if node.tops and len(node.tops[0].shape) == 4 else None
        for name, top in zip(node.top_names, node.tops, strict=True):
            known[name] = seen if len(top.shape) == 4 else None
        result.append(seen)
    return result


def field_of_view(node: Node, bottom: Field | None) -> int | None:
    """The field of view of a filter as Table 1 of the DeepLab paper counts it, in input pixels.

    One tap of a filter on the trunk's output stands for a cell of 32x32 pixels (the stride at which the classification
    nets were trained, `CLASSIFICATION_STRIDE`), and the taps lie ``rate * stride`` pixels apart:

        field of view = (kernel - 1) * rate * stride + 32

    With a stride of 8 this gives the paper's 224 (7x7, rate 4), 128 (4x4, rate 4), 224 (4x4, rate 8) and 224 (3x3,
    rate 12), and 7 * 32 = 224 for fc6 of the undecimated VGG-16 net with its stride of 32. It is a nominal figure: the
    windows below overlap, so that the true receptive field is larger. None for layers without a window, and on blobs
    finer than a stride of 8, which are no such trunk's output.
    """
    geometry = node.layer.geometry
    if geometry is None or bottom is None:
        return None
    axis = bottom.width
    if axis.step < 8 * axis.resized:
        return None
    span = (geometry.kernel[1] - 1) * geometry.dilation[1] * axis.step
    return round(span + CLASSIFICATION_STRIDE * axis.resized)
