"""Which input sizes suit a net: those at which what its strides divide can be put together again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pydeeplab.errors import UsageError

if TYPE_CHECKING:
    from pydeeplab.net import Net
    from pydeeplab.node import Node

__all__ = ["Alignment", "alignment_of"]

_ENLARGING = {"Deconvolution", "Unpooling", "Upsample"}
_LARGEST_STEP = 256


@dataclass(frozen=True)
class Alignment:
    """Sizes of the form ``step * k + offset``; step 1 and offset 0 stand for any size.

    ``stride`` is the step of the grid that the net computes on: parts of a picture that begin at multiples of it are
    seen as they are within the whole.
    """

    step: int = 1
    offset: int = 0
    stride: int = 1

    def fit(self, size: int) -> int:
        """The smallest suitable size that is at least ``size``."""
        return -(-max(size - self.offset, 1) // self.step) * self.step + self.offset

    def fit_below(self, size: int) -> int:
        """The largest suitable size that is at most ``size`` (or the smallest there is)."""
        return max((size - self.offset) // self.step, 1) * self.step + self.offset

    def scaled(self, scales: Iterable[Fraction]) -> Alignment:
        """The sizes ``n`` that still suit when a picture is resized, corners on corners, to ``scale * (n - 1) + 1``.

        Raises
        ------
        UsageError
            The scales have no small common denominator.
        """
        factor = math.lcm(*(scale.denominator for scale in scales))
        if self.step * factor > _LARGEST_STEP:
            words = ", ".join(str(scale) for scale in scales)
            raise UsageError(f"scales {words} would need pictures of {self.step * factor}k+1; give simpler fractions")
        if factor > 1 and self.step > 1 and self.offset != 1:
            raise UsageError(f"this net wants sizes of {self}, which scales do not keep; leave out scales")
        return Alignment(self.step * factor, self.offset if factor == 1 else 1, self.stride * factor)

    def __str__(self) -> str:
        if self.step == 1:
            return "any"
        return f"{self.step}k+{self.offset}" if self.offset else f"{self.step}k"


def _through(node: Node, stride: Fraction) -> Fraction:
    """Input pixels from one element of a layer's top to the next, given those of its bottom."""
    layer = node.layer
    if layer.type == "Interp":
        param = layer.param.interp_param
        if param.HasField("shrink_factor") or param.HasField("zoom_factor"):
            return stride * param.shrink_factor / param.zoom_factor
    elif layer.type in _ENLARGING:
        pass
    elif layer.geometry is not None:
        global_pooling = layer.type == "Pooling" and layer.param.pooling_param.global_pooling
        return stride if global_pooling else stride * max(layer.geometry.stride)
    below, above = node.bottoms[0].shape, node.tops[0].shape
    if len(below) != 4 or len(above) != 4 or above[2] <= below[2]:
        return stride
    return stride / max(1, round(above[2] / below[2]))


def alignment_of(net: Net) -> Alignment:
    """Find the sizes that suit a net.

    With strides and bilinear resizing by aligned corners these are 8k+1 for most DeepLab nets (all strides multiplied
    and shrink factors included: 32k+1 with inputs at 3/4 and 1/2). Nets that enlarge by deconvolution or unpooling
    want multiples of their stride, or take any size if they crop at the end; those without strides take any size.
    """
    strides: dict[str, Fraction] = {}
    numerators = {1}
    types = set()
    for node in net.nodes:
        types.add(node.layer.type)
        known = [strides[name] for name in node.bottom_names if name in strides]
        if not node.tops:
            continue
        stride = _through(node, max(known)) if known else Fraction(1)
        if node.layer.type == "Interp" and known:
            numerators.add((max(known) * node.layer.param.interp_param.shrink_factor).numerator)
        numerators.add(stride.numerator)
        strides.update((name, stride) for name in node.top_names)
    step = math.lcm(*numerators)
    if step == 1 or step > _LARGEST_STEP:
        return Alignment()
    if types & _ENLARGING:
        return Alignment(stride=step) if "Crop" in types else Alignment(step, 0, step)
    return Alignment(step, 1, step)
