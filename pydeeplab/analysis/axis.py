"""The receptive field along one axis, exactly: which input pixels element i of a blob depends on, for all i."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Axis", "Positions"]

LONGEST = 4096
"""Longest period that is followed."""


@dataclass(frozen=True)
class Positions:
    """A pixel for each element i, of all whole numbers i: ``table[i % n] + i // n * advance``, n the table's length.

    With strides only, the table has one entry. Resizing makes it longer: enlarged by 8, elements 0 to 7 begin at the
    same pixel, and the next 8 one step further.
    """

    table: tuple[int, ...] = (0,)
    advance: int = 1

    @property
    def step(self) -> Fraction:
        """Pixels from one element to the next, on average."""
        return Fraction(self.advance, len(self.table))

    def __getitem__(self, element: int) -> int:
        rounds, rest = divmod(element, len(self.table))
        return self.table[rest] + rounds * self.advance

    def through(self, source: Callable[[int], int], period: int, shift: int) -> Positions:
        """The positions of the elements ``source(i)``, where ``source(i + period) == source(i) + shift``."""
        n = len(self.table)
        rounds = n // math.gcd(n, shift) if shift else 1
        count = period * rounds
        if count > LONGEST:
            raise OverflowError(f"a period of {count} elements")
        return Positions(tuple(self[source(i)] for i in range(count)), shift * rounds // n * self.advance)

    def extended(self, length: int) -> Positions:
        """The same with a longer table, a multiple of this one's length."""
        return Positions(tuple(self[i] for i in range(length)), self.advance * (length // len(self.table)))


@dataclass(frozen=True)
class Axis:
    """Element i of a blob depends on the input pixels ``first[i]`` to ``last[i]``.

    ``resized`` is the part of the step that comes from resizing (an image pyramid, or upsampling) and not from strides.
    """

    first: Positions = Positions()
    last: Positions = Positions()
    resized: Fraction = Fraction(1)

    @property
    def step(self) -> Fraction:
        """Input pixels from one element to the next: the output stride."""
        return self.first.step

    @property
    def size(self) -> int:
        """Number of pixels, borders included, of the element that has the most."""
        length = math.lcm(len(self.first.table), len(self.last.table))
        return max(self.last[i] - self.first[i] for i in range(length)) + 1

    def window(self, kernel: int, stride: int, pad: int, dilation: int) -> Axis:
        """After a sliding window."""
        reach = (kernel - 1) * dilation
        return Axis(
            self.first.through(lambda i: i * stride - pad, 1, stride),
            self.last.through(lambda i: i * stride - pad + reach, 1, stride),
            self.resized,
        )

    def transposed(self, kernel: int, stride: int, pad: int, dilation: int) -> Axis:
        """After a transposed window (Deconvolution) whose kernel is not shorter than its stride, else nearly so."""
        reach = (kernel - 1) * dilation
        return Axis(
            self.first.through(lambda i: min(-((reach - i - pad) // stride), (i + pad) // stride), stride, 1),
            self.last.through(lambda i: (i + pad) // stride, stride, 1),
            self.resized,
        )

    def resampled(self, size: int, out: int, start: int) -> Axis:
        """After bilinear resizing of ``size`` elements beginning at ``start`` to ``out``, corners aligned."""
        ratio = Fraction(size - 1, out - 1) if out > 1 else Fraction(1)
        a, b = ratio.numerator, ratio.denominator
        return Axis(
            self.first.through(lambda i: i * a // b + start, b, a),
            self.last.through(lambda i: -(-i * a // b) + start, b, a),
            self.resized * ratio,
        )

    def shifted(self, elements: int) -> Axis:
        """After dropping (or, if negative, adding) elements at the beginning."""
        return self.window(1, 1, -elements, 1)

    @staticmethod
    def union(axes: Sequence[Axis]) -> Axis:
        """What any of several blobs of one size depends on; those of another step than the first are left out."""
        same = [axis for axis in axes if axis.step == axes[0].step]
        length = math.lcm(*(len(p.table) for axis in same for p in (axis.first, axis.last)))
        first = [axis.first.extended(length) for axis in same]
        last = [axis.last.extended(length) for axis in same]
        return Axis(
            Positions(tuple(map(min, zip(*(p.table for p in first), strict=True))), first[0].advance),
            Positions(tuple(map(max, zip(*(p.table for p in last), strict=True))), last[0].advance),
            same[0].resized,
        )
