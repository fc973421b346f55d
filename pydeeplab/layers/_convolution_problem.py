"""What a convolution layer computes, apart from how."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pydeeplab.layers.window import Window

__all__ = ["Epilogue", "Picture", "Problem", "filled"]


def filled(count: int, step: int) -> int:
    """The smallest multiple of ``step`` that is not below ``count``."""
    return math.ceil(count / step) * step


@dataclass(frozen=True)
class Problem:
    """A convolution: ``image`` and ``positions`` are the sizes on its image side and on its column side."""

    window: Window
    batch: int
    channels: int
    outputs: int
    group: int
    image: tuple[int, ...]
    positions: tuple[int, ...]

    @property
    def multiply_adds(self) -> int:
        """Multiply-accumulate operations of one pass."""
        each = self.channels // self.group * self.window.taps
        return self.batch * self.outputs * math.prod(self.positions) * each


@dataclass(frozen=True)
class Picture:
    """What a forward pass reads and writes, in the shapes that kernels want.

    Parameters
    ----------
    x, y : array
        The image [batch, channels, *image] and the map [batch, outputs, *positions].
    other : array or None
        Of the map's shape, or the map itself: is added to its values; only engines that ``take_sums`` add it.
    """

    problem: Problem
    x: NDArray[Any]
    y: NDArray[Any]
    other: NDArray[Any] | None = None


@dataclass(frozen=True)
class Epilogue:
    """What is done to a convolution's values before they are stored: ``act(scale[o] value + shift[o] + other)``.

    ``other`` is the `Picture`'s; all else belongs to the weights.

    Parameters
    ----------
    scale, shift : array [outputs] or None
        Of the net's type; None stands for 1 and 0.
    relu : bool
        Whether act is max(v, 0) + slope min(v, 0) rather than nothing.
    slope : float
    """

    scale: NDArray[Any] | None = None
    shift: NDArray[Any] | None = None
    relu: bool = False
    slope: float = 0.0

    def shift_with(self, bias: NDArray[Any] | None) -> NDArray[Any] | None:
        """The shift where the layer's own bias is not added to the values before."""
        if bias is None:
            return self.shift
        scaled = bias if self.scale is None else bias * self.scale
        return scaled if self.shift is None else scaled + self.shift
