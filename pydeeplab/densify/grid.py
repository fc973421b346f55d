"""Laying the scores' grid on the pixels: what to put around the image, and what to cut off the last map."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.placement import Placement, place
from pydeeplab.proto import parse_net, write_text
from pydeeplab.proto.caffe_pb2 import NetParameter

__all__ = ["Grid", "find_grid"]


@dataclass(frozen=True)
class Grid:
    """Rows (and columns) of zeros before and behind the image, and of the last map that are cut off there.

    With these, an image of ``stride * k + 1`` has k + 1 scores, and score i is centred on pixel ``stride * i``, at most
    half a pixel off. Nets whose windows are all centred need none of it.
    """

    pad_begin: int = 0
    pad_end: int = 0
    cut_begin: int = 0
    cut_end: int = 0


def find_grid(layers: Sequence[Any], image: str, channels: int, last: str, stride: int) -> Grid:
    """The grid of a dense trunk.

    Parameters
    ----------
    layers : sequence of LayerParameter
        The trunk, from the blob ``image`` of so many channels to the blob ``last``.
    stride
        Its output stride.

    Raises
    ------
    UsageError
        Rows and columns would need different ones.
    """
    sizes, shift = _measure(layers, image, channels, last, stride)
    cut_begin = max(0, math.ceil(-shift / stride))
    pad_begin = math.floor(shift + cut_begin * stride + Fraction(1, 2))
    wanted = sizes.positions + cut_begin
    enough = max(0, wanted - sizes.of(pad_begin)) * stride  # each stride more makes the map one larger
    if sizes.of(pad_begin + enough) < wanted:
        raise UsageError(f"the map before the classifier, '{last}', does not grow with the image: its size is fixed")
    pad_end = bisect.bisect_left(range(enough), wanted, key=lambda pad: sizes.of(pad_begin + pad))
    return Grid(pad_begin, pad_end, cut_begin, sizes.of(pad_begin + pad_end) - wanted)


class _Sizes:
    """Sizes of the last map for images of about 512 pixels; ``positions`` is the one wanted without borders."""

    def __init__(self, net: Net, image: str, last: str, stride: int):
        self._net, self._image, self._last = net, image, last
        self.positions = (net.blobs[image].shape[2] - 1) // stride + 1

    def of(self, more: int) -> int:
        """The height of the last map for an image that is so many pixels higher."""
        blob = self._net.blobs[self._image]
        items, channels, _, width = blob.shape
        blob.reshape(items, channels, width + more, width)
        self._net.reshape()
        return self._net.blobs[self._last].shape[2]


def _measure(layers: Sequence[Any], image: str, channels: int, last: str, stride: int) -> tuple[_Sizes, Fraction]:
    size = max(512 // stride, 2) * stride + 1
    param = NetParameter()
    source = param.layer.add(name=image, type="Input", top=[image])
    source.input_param.shape.add().dim.extend((1, channels, size, size))
    for layer in layers:
        param.layer.add().CopyFrom(layer)
        for field in ("convolution_param", "inner_product_param"):
            if layer.HasField(field):
                getattr(param.layer[-1], field).ClearField("weight_filler")
    net = Net.from_source(parse_net(write_text(param), filename="the dense trunk"), TEST)
    known: dict[str, Placement] = {}
    for node in net.nodes:
        placement = place(node, known)
        for name in node.top_names:
            if placement is not None:
                known[name] = placement
    where = known.get(last)
    if where is None or where.height != where.width:
        raise UsageError(
            "the windows of this net differ in height and width, so that its scores cannot be laid on the pixels by "
            "square borders. Use --windows deeplab, which centres all windows."
        )
    return _Sizes(net, image, last, stride), where.height[1]
