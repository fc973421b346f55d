"""A layer in its place in a net: with its blobs, and what of it takes part in back-propagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import PydeeplabError
from pydeeplab.layer import Layer

__all__ = ["Node", "reraise"]


def reraise(error: Exception, layer: Layer) -> NoReturn:
    """Raise an error that came out of a layer again, saying which layer it is and where that stands.

    Errors of pydeeplab and a lack of memory become errors that begin with the layer's place. Anything else, such as an
    exception of a Python layer, stays what it is and gets a note.
    """
    if isinstance(error, MemoryError):
        raise layer.error(
            f"needs more memory than there is{f' ({error})' if str(error) else ''}. Use a smaller crop, a smaller "
            "batch (with a larger iter_size to make up for it), or a net that keeps less: keep='outputs', or for "
            "training keep='training' or 'recompute'."
        ) from None
    if isinstance(error, PydeeplabError) and f"layer '{layer.name}'" not in str(error):
        raise layer.error(str(error), type(error)) from error.__cause__
    if not isinstance(error, PydeeplabError):
        error.add_note(str(layer.error("raised this")))
    raise error


@dataclass
class Node:
    """One layer of a net, wired to its bottoms and tops."""

    layer: Layer
    bottoms: list[Blob]
    tops: list[Blob]
    bottom_names: list[str]
    top_names: list[str]
    propagate_down: list[bool] = field(default_factory=list)
    need_backward: bool = False
    within: ClassVar[Sequence[Blob]] = ()
    """Blobs beside bottoms and tops that a forward may write and read."""
    _shapes: list[tuple[int, ...]] | None = None

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def nodes(self) -> list[Node]:
        """Itself, the only one that runs; there are steps of several."""
        return [self]

    @property
    def parts(self) -> list[Node]:
        """Itself; a step may have several parts that run side by side."""
        return [self]

    @property
    def multiply_adds(self) -> int:
        """Multiply-accumulate operations of one forward pass."""
        return self.layer.multiply_adds(self.bottoms, self.tops)

    def reshape(self) -> None:
        """Give the tops their shapes, and the losses among them their weights as gradients."""
        try:
            self._reshape()
        except Exception as error:
            reraise(error, self.layer)

    def _reshape(self) -> None:
        self.layer.reshape(self.bottoms, self.tops)
        self._shapes = [b.shape for b in self.bottoms]
        for top, weight in zip(self.tops, self.layer.loss_weights, strict=False):
            if weight and not top.count:
                continue
            if weight and not top.look_diff().any():
                top.write_diff()[...] = weight

    def forward(self) -> None:
        """Reshape if a bottom's shape has changed, then compute the tops."""
        try:
            if self.layer.reshapes_always or self._shapes != [b.shape for b in self.bottoms]:
                self._reshape()
            self.layer.forward(self.bottoms, self.tops)
        except Exception as error:
            reraise(error, self.layer)

    def backward(self) -> None:
        """Compute the gradients of bottoms and parameters."""
        try:
            self.layer.backward(self.tops, self.propagate_down, self.bottoms)
        except Exception as error:
            reraise(error, self.layer)

    def loss(self) -> float:
        """The weighted sum of those tops that are losses."""
        total = 0.0
        for top, weight in zip(self.tops, self.layer.loss_weights, strict=False):
            if weight:
                total += float(np.dot(top.look().reshape(-1), top.look_diff().reshape(-1)))
        return total
