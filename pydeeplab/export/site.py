"""What a translation of one layer sees: the layer, its bottoms as values of the graph, and the means to add to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.errors import UnsupportedError
from pydeeplab.export.graph import Attribute, Graph
from pydeeplab.export.sizes import Size, SizeExpression, vector
from pydeeplab.export.variation import Variation
from pydeeplab.node import Node

__all__ = ["TRANSLATIONS", "Site", "Translation", "translates"]

Translation = Callable[["Site"], str | list[str]]
"""Adds a layer's operations to the graph; returns the value of each top."""

TRANSLATIONS: dict[str, Translation] = {}
"""By layer type."""


def translates(*types: str) -> Callable[[Translation], Translation]:
    """Decorator: this function translates layers of these types."""

    def keep(function: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(types, function))
        return function

    return keep


class Site:
    """One layer in the graph under construction.

    Attributes
    ----------
    layer : Layer
    param
        The layer's LayerParameter.
    bottoms : list of str
        Values of the graph.
    shapes, top_shapes : list of tuple of int
        Of bottoms and tops, at present.
    """

    def __init__(self, graph: Graph, node: Node, bottoms: Sequence[str], variation: Variation):
        self._graph = graph
        self._node = node
        self._variation = variation
        self.layer: Any = node.layer
        self.param = node.layer.param
        self.bottoms = list(bottoms)
        self.shapes = [blob.shape for blob in node.bottoms]
        self.top_shapes = [blob.shape for blob in node.tops]

    @property
    def bottom(self) -> str:
        """The first bottom."""
        return self.bottoms[0]

    @property
    def opset(self) -> int:
        """Version of the operators."""
        return self._graph.opset

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operation with one output; returns that."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: Attribute) -> list[str]:
        """Add an operation with several outputs."""
        return self._graph.add(kind, inputs, self.layer.name, outputs=outputs, attributes=attributes)

    def reduce(self, kind: str, value: str, axes: Sequence[int], *, keep: bool = True) -> str:
        """A Reduce operation; versions of the operators differ in how they take the axes."""
        if self.opset >= 18 or kind == "ReduceSum":
            return self.op(kind, value, self.integers(axes), keepdims=int(keep))
        return self.op(kind, value, axes=list(axes), keepdims=int(keep))

    def real(self, values: ArrayLike, name: str = "constant") -> str:
        """A float32 constant."""
        return self._graph.constant(np.asarray(values, np.float32), f"{self.layer.name}/{name}")

    def integers(self, values: ArrayLike) -> str:
        """An int64 constant."""
        return self._integers(np.asarray(values, np.int64))

    def _integers(self, values: NDArray[np.int64]) -> str:
        return self._graph.constant(values, f"{self.layer.name}/sizes")

    def parameter(self, index: int, shape: Sequence[int] | None = None) -> str:
        """The layer's blob of this index as a constant, perhaps in another shape."""
        values = self.layer.blobs[index].look()
        return self.real(values if shape is None else values.reshape(shape), str(index))

    def size(self, index: int, axis: int) -> Size:
        """The size of an axis of a bottom: a number, or an expression where it varies."""
        now, other = self._variation.shapes(self._node.bottoms[index])
        if now[axis] == other[axis]:
            return now[axis]
        shape = self.op("Shape", self.bottoms[index])
        return SizeExpression(self.op("Gather", shape, self.integers([axis]), axis=0), self.op, self._integers)

    def vector(self, sizes: Sequence[Size]) -> str:
        """Sizes as an int64 vector."""
        return vector(sizes, self.op, self._integers)

    def varies(self, index: int, axis: int) -> bool:
        """Whether an axis of a bottom varies."""
        now, other = self._variation.shapes(self._node.bottoms[index])
        return now[axis] != other[axis]

    def reshape_to_top(self, value: str, index: int = 0) -> str:
        """``value``, of which the leading axes are those of bottom 0, in the shape of a top.

        An axis that varies is copied from the same axis of bottom 0 where that varies alike; one other may follow from
        the number of elements.
        """
        now, other = self._variation.shapes(self._node.tops[index])
        below_now, below_other = self._variation.shapes(self._node.bottoms[0])
        target = list(now)
        for axis, (size, changed) in enumerate(zip(now, other, strict=True)):
            if size != changed:
                alike = axis < len(below_now) and (below_now[axis], below_other[axis]) == (size, changed)
                target[axis] = 0 if alike and axis == 0 else -1
        if target.count(-1) > 1:
            self.unsupported("its top varies along several axes at once; export it at one size, without --dynamic")
        return self.op("Reshape", value, self.integers(target))

    def unsupported(self, why: str) -> NoReturn:
        """Refuse, naming the layer."""
        raise self.layer.error(f"cannot be exported: {why}", UnsupportedError)
