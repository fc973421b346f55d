"""Split layers: a blob that several layers read gets a copy for each, named as Caffe names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pydeeplab.errors import PrototxtError, did_you_mean
from pydeeplab.proto import caffe_pb2

__all__ = ["insert_splits", "split_name"]

Top = tuple[int, int]
"""A top: the index of its layer, and which of the layer's tops it is."""


def split_name(layer: str, blob: str, top: int, copy: int | None = None) -> str:
    """The name of the Split layer behind a top, or of one of the blobs that it makes.

    Examples
    --------
    >>> split_name("res5c_relu", "res5c", 0)
    'res5c_res5c_relu_0_split'
    >>> split_name("res5c_relu", "res5c", 0, copy=1)
    'res5c_res5c_relu_0_split_1'
    """
    name = f"{blob}_{layer}_{top}_split"
    return name if copy is None else f"{name}_{copy}"


class _Uses:
    """Who makes each blob last, who reads it, and which tops count in the loss."""

    def __init__(self, layers: Any, place: Callable[[int, str, int], str]):
        self.source: dict[tuple[int, int], Top] = {}
        self.readers: defaultdict[Top, int] = defaultdict(int)
        self.loss_weight: dict[Top, float] = {}
        makers: dict[str, Top] = {}
        for index, layer in enumerate(layers):
            for item, bottom in enumerate(layer.bottom):
                if bottom not in makers:
                    raise PrototxtError(
                        f"{place(index, 'bottom', item)}layer '{layer.name}' ({layer.type}): bottom '{bottom}' is no "
                        f"earlier layer's top.{did_you_mean(bottom, makers)}"
                    )
                self.source[index, item] = makers[bottom]
                self.readers[makers[bottom]] += 1
            for item, top in enumerate(layer.top):
                makers[top] = (index, item)
            for item, weight in zip(range(len(layer.top)), layer.loss_weight, strict=False):
                if weight:
                    self.loss_weight[index, item] = weight
                    self.readers[index, item] += 1


def _split_layer(name: str, layer: str, blob: str, top: int, copies: int, loss_weight: float) -> Any:
    split = caffe_pb2.LayerParameter(name=name, type="Split", bottom=[blob])
    split.top.extend(split_name(layer, blob, top, copy) for copy in range(copies))
    if loss_weight:
        split.loss_weight.extend([loss_weight] + [0] * (copies - 1))
    return split


def insert_splits(net: Any, place: Callable[[int, str, int], str] = lambda *_: "") -> tuple[Any, list[int]]:
    """Give every reader of a shared blob its own copy.

    A Split layer stands right behind the last layer that writes the blob. Weighing a top in the loss counts as reading
    it: the split's first copy takes the loss weight.

    Parameters
    ----------
    net : NetParameter
        In the current format. It is not changed.
    place : callable
        ``place(layer index, field, item)`` is "file:line:column: " or "", for messages.

    Returns
    -------
    NetParameter
        With Split layers, as Caffe writes them into its caffemodels.
    list of int
        For each of its layers, the index of the layer in ``net`` that it is, or that it splits a top of.

    Raises
    ------
    PrototxtError
        A bottom is no earlier layer's top.
    """
    uses = _Uses(net.layer, place)
    result = caffe_pb2.NetParameter()
    result.CopyFrom(net)
    del result.layer[:]
    origins: list[int] = []
    handed_out: defaultdict[Top, int] = defaultdict(int)
    for index, layer in enumerate(net.layer):
        copy = result.layer.add()
        copy.CopyFrom(layer)
        origins.append(index)
        for item, bottom in enumerate(layer.bottom):
            top = uses.source[index, item]
            if uses.readers[top] > 1:
                copy.bottom[item] = split_name(net.layer[top[0]].name, bottom, top[1], handed_out[top])
                handed_out[top] += 1
        for item, blob in enumerate(layer.top):
            readers = uses.readers[index, item]
            if readers > 1:
                weight = uses.loss_weight.get((index, item), 0.0)
                name = split_name(layer.name, blob, item)
                result.layer.append(_split_layer(name, layer.name, blob, item, readers, weight))
                origins.append(index)
                if weight:
                    copy.loss_weight[item] = 0
                    handed_out[index, item] += 1
    return result, origins
