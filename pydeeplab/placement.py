"""Where the elements of a blob lie on the net's input, so that Crop layers without offsets can be aligned.

The first fully convolutional nets (and CRF-RNN) left the offsets of their Crop layers out; their Caffe worked them out
from the strides and paddings in between, as pycaffe's ``coord_map`` does today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydeeplab.layer import Geometry
from pydeeplab.node import Node

__all__ = ["Line", "Placement", "align_crop", "place", "through_window", "window_of"]

Line = tuple[Fraction, Fraction]
"""Step and shift: element i is centred at ``step * i + shift``."""


@dataclass(frozen=True)
class Placement:
    """Element i along an axis (height, width) is centred at ``step * i + shift`` on the blob ``root``."""

    root: str
    height: Line = (Fraction(1), Fraction(0))
    width: Line = (Fraction(1), Fraction(0))


def window_of(node: Node) -> Geometry | None:
    """The sliding window of a layer: over its bottom, or, for Deconvolution, over its top."""
    if node.layer.type == "Deconvolution":
        found: Geometry | None = node.layer.window.geometry()  # type: ignore[attr-defined]
        return found
    return node.layer.geometry


def through_window(line: Line, kernel: int, stride: int, pad: int, dilation: int, transposed: bool) -> Line:
    """Where the elements of a sliding-window layer's top lie, from where those of its bottom do."""
    step, shift = line
    centre = Fraction((kernel - 1) * dilation, 2) - pad
    if transposed:
        return step / stride, shift - step * centre / stride
    return step * stride, shift + step * centre


def place(node: Node, known: Mapping[str, Placement]) -> Placement | None:
    """The placement of a node's tops, from those of its bottoms; None where they do not lie on an input."""
    spatial = [len(b.shape) == 4 for b in (*node.bottoms[:1], *node.tops[:1])]
    if not node.bottoms:
        return Placement(node.top_names[0]) if spatial == [True] else None
    seen = known.get(node.bottom_names[0])
    if seen is None or spatial != [True, True]:
        return None
    layer = node.layer
    geometry = window_of(node)
    if geometry is not None:
        transposed = layer.type == "Deconvolution"
        lines = [
            through_window(
                line, geometry.kernel[i], geometry.stride[i], geometry.pad[i], geometry.dilation[i], transposed
            )
            for i, line in enumerate((seen.height, seen.width))
        ]
        return Placement(seen.root, *lines)
    if layer.type == "Crop":
        offsets = [int(o) for o in layer.param.crop_param.offset] or [0]
        lines = [
            (step, shift + step * offset)
            for (step, shift), offset in zip((seen.height, seen.width), (offsets[0], offsets[-1]), strict=True)
        ]
        return Placement(seen.root, *lines)
    return seen if node.bottoms[0].shape[2:] == node.tops[0].shape[2:] else None


def align_crop(param: Any, data: Placement | None, reference: Placement | None) -> None:
    """Give a Crop layer that states no ``crop_param`` the offsets that align its two bottoms, where they are known."""
    if param.HasField("crop_param") or data is None or reference is None or data.root != reference.root:
        return
    offsets = []
    for (step, shift), (other_step, other_shift) in ((data.height, reference.height), (data.width, reference.width)):
        if step != other_step:
            return
        offsets.append(round((other_shift - shift) / step))
    if min(offsets) >= 0:
        param.crop_param.offset.extend(offsets)
