"""Receptive fields: which input pixels an element of a blob depends on, and how far apart those of neighbours lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pydeeplab.layer import Geometry

if TYPE_CHECKING:
    from pydeeplab.net import Net
    from pydeeplab.node import Node

__all__ = ["CLASSIFICATION_STRIDE", "Axis", "Field", "field_of_view", "receptive_fields", "window"]

CLASSIFICATION_STRIDE = 32
"""Output stride of VGG-16 and ResNet-101 as image classifiers, which DeepLab reduces to 8."""

GLOBAL = {"DenseCRF", "DomainTransform", "DomainTransformForwardOnly", "InnerProduct", "MVN", "SPP"}
"""Layers whose every output depends on the whole image."""

UNORDERED = {"BatchReindex", "Flatten", "Im2col", "Permute", "Reduction", "Reshape", "Tile"}
"""Layers whose tops do not lie on the image any more, or not in a way that can be followed."""


@dataclass(frozen=True)
class Axis:
    """The receptive field along one axis, in input pixels.

    Element i depends on the pixels ``first + i * step`` to ``last + i * step``. ``resized`` is the part of ``step``
    that comes from resizing (an image pyramid, or upsampling) and not from strides.
    """

    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    resized: Fraction = Fraction(1)

    @property
    def size(self) -> int:
        """Number of pixels from the first to the last, borders included; of the element that has the most."""
        return math.ceil(self.last - self.first) + 1

    def window(self, kernel: int, stride: int, pad: int, dilation: int) -> Axis:
        """After a sliding window."""
        return replace(
            self,
            first=self.first - pad * self.step,
            last=self.last + ((kernel - 1) * dilation - pad) * self.step,
            step=self.step * stride,
        )

    def transposed(self, kernel: int, stride: int, pad: int, dilation: int) -> Axis:
        """After a transposed window (Deconvolution): as many inputs as overlap, at a finer step."""
        reach = (kernel - 1) * dilation
        step = self.step / stride
        middle = (pad - Fraction(reach, 2)) * step
        overlap = (math.ceil((reach + 1) / stride) - 1) * self.step / 2
        return replace(self, first=self.first + middle - overlap, last=self.last + middle + overlap, step=step)

    def resampled(self, size: int, out: int, start: int) -> Axis:
        """After bilinear resizing of ``size`` elements beginning at ``start`` to ``out``, corners aligned."""
        ratio = Fraction(size - 1, out - 1) if out > 1 else Fraction(1)
        taps = 0 if ratio.denominator == 1 else 1
        shift = start * self.step
        return Axis(self.first + shift, self.last + shift + taps * self.step, self.step * ratio, self.resized * ratio)

    def shifted(self, elements: int) -> Axis:
        """After dropping (or, if negative, adding) elements at the beginning."""
        return replace(self, first=self.first + elements * self.step, last=self.last + elements * self.step)


@dataclass(frozen=True)
class Field:
    """A receptive field: height and width."""

    height: Axis = Axis()
    width: Axis = Axis()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in input pixels."""
        return self.height.size, self.width.size

    @property
    def step(self) -> tuple[float, float]:
        """Input pixels from one element to the next: the output stride."""
        return float(self.height.step), float(self.width.step)


def window(node: Node) -> Geometry | None:
    """The sliding window of a layer: over its bottom, or, for Deconvolution, over its top."""
    if node.layer.type == "Deconvolution":
        found: Geometry | None = node.layer.window.geometry()  # type: ignore[attr-defined]
        return found
    return node.layer.geometry


def _union_axis(axes: Sequence[Axis]) -> Axis:
    return replace(axes[0], first=min(a.first for a in axes), last=max(a.last for a in axes))


def _union(fields: Iterable[Field | None]) -> Field | None:
    known = [f for f in fields if f is not None]
    if not known:
        return None
    return Field(_union_axis([f.height for f in known]), _union_axis([f.width for f in known]))


def _through_window(field: Field, geometry: Geometry, transposed: bool) -> Field:
    axes = []
    for i, axis in enumerate((field.height, field.width)):
        window = (geometry.kernel[i], geometry.stride[i], geometry.pad[i], geometry.dilation[i])
        axes.append(axis.transposed(*window) if transposed else axis.window(*window))
    return Field(*axes)


def _through_interp(field: Field, node: Node) -> Field:
    param = node.layer.param.interp_param
    crop = -param.pad_beg
    axes = []
    for i, axis in enumerate((field.height, field.width)):
        size = node.bottoms[0].shape[2 + i] + param.pad_beg + param.pad_end
        axes.append(axis.resampled(size, node.tops[0].shape[2 + i], crop))
    return Field(*axes)


def _through(node: Node, fields: Sequence[Field | None]) -> Field | None:
    """The field of a layer's tops, from those of its bottoms; None where it is the whole image or undefined."""
    layer = node.layer
    field = _union(fields)
    spatial = [b.shape[2:] for b in (*node.bottoms[:1], *node.tops[:1])]
    if field is None or layer.type in GLOBAL | UNORDERED or any(len(s) != 2 for s in spatial) or len(spatial) < 2:
        return None
    if None in fields and layer.type in ("Concat", "Eltwise"):
        return None
    geometry = window(node)
    if geometry is not None:
        if layer.type == "Pooling" and layer.param.pooling_param.global_pooling:
            return None
        return _through_window(field, geometry, layer.type == "Deconvolution")
    if layer.type == "Interp":
        return _through_interp(field, node)
    if layer.type == "Padding":
        crop = -layer.param.padding_param.pad_beg
        return Field(field.height.shifted(crop), field.width.shifted(crop))
    if layer.type == "Crop" and fields[0] is not None:
        offsets = list(layer.param.crop_param.offset) or [0]
        return Field(fields[0].height.shifted(offsets[0]), fields[0].width.shifted(offsets[-1]))
    return field if spatial[0] == spatial[1] else None


def receptive_fields(net: Net) -> list[Field | None]:
    """The receptive field of each layer's first top, in the order of ``net.nodes``.

    None stands for the whole image (InnerProduct, DenseCRF, ...) or for blobs that do not lie on the image. Batch
    statistics count as constants.
    """
    known: dict[str, Field | None] = {}
    result = []
    for node in net.nodes:
        if node.bottom_names:
            field = _through(node, [known.get(name) for name in node.bottom_names])
        else:
            field = Field() if node.tops and len(node.tops[0].shape) == 4 else None
        for name, top in zip(node.top_names, node.tops, strict=True):
            known[name] = field if len(top.shape) == 4 else None
        result.append(field)
    return result


def field_of_view(node: Node, bottom: Field | None) -> int | None:
    """The field of view of a filter as Table 1 of the DeepLab paper counts it, in input pixels.

    One tap of a filter on the trunk's output stands for a cell of 32x32 pixels (the stride at which the classification
    nets were trained, `CLASSIFICATION_STRIDE`), and the taps lie ``rate * stride`` pixels apart:

        field of view = (kernel - 1) * rate * stride + 32

    With a stride of 8 this gives the paper's 224 (7x7, rate 4), 128 (4x4, rate 4), 224 (4x4, rate 8) and 224 (3x3,
    rate 12), and 7 * 32 = 224 for fc6 of the undecimated VGG-16 net with its stride of 32. It is a nominal figure: the
    windows below overlap, so that the true receptive field is larger. None for layers without a window.
    """
    geometry = node.layer.geometry
    if geometry is None or bottom is None:
        return None
    axis = bottom.width
    span = (geometry.kernel[1] - 1) * geometry.dilation[1] * axis.step
    return round(span + CLASSIFICATION_STRIDE * axis.resized)
