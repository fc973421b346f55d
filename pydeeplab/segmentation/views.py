"""What a net is shown of a picture to average over: scales, and the mirror image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import UsageError

__all__ = ["FUSIONS", "Views"]

FUSIONS = ("max", "mean")

_LARGEST_DENOMINATOR = 64


def _fraction(scale: float | str | Fraction) -> Fraction:
    try:
        value = Fraction(scale)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"a scale is a number such as 0.75, got '{scale}'") from None
    near = value.limit_denominator(_LARGEST_DENOMINATOR)
    if near <= 0 or not math.isclose(near, value, rel_tol=1e-6):
        raise UsageError(f"a scale is a positive fraction such as 0.5, 0.75 or 1.25, got {float(value):g}")
    return near


@dataclass(frozen=True)
class Views:
    """Scales and mirror images of a picture, and how their scores become one.

    Attributes
    ----------
    scales : tuple of Fraction
        Sizes at which the picture is shown, relative to its own.
    fuse : {"max", "mean"}
        At each pixel and class: the largest score of all scales (as DeepLab's multi-scale nets), or their mean.
    flip : bool
        Show the mirror image too, at each scale; the scores of both are averaged before scales are fused.
    """

    scales: tuple[Fraction, ...] = (Fraction(1),)
    fuse: str = "max"
    flip: bool = False

    @classmethod
    def of(cls, scales: Iterable[float | str | Fraction], fuse: str, flip: bool) -> Views:
        """From numbers or text.

        Raises
        ------
        UsageError
            There is no scale, one is no positive simple fraction or comes twice, or ``fuse`` is unknown.
        """
        fractions = tuple(_fraction(scale) for scale in scales)
        if not fractions:
            raise UsageError("there must be at least one scale, such as 1")
        if len(set(fractions)) < len(fractions):
            raise UsageError(f"a scale comes twice in {', '.join(map(str, fractions))}")
        if fuse not in FUSIONS:
            raise UsageError(f"unknown fusion '{fuse}'; known are {', '.join(FUSIONS)}")
        return cls(fractions, fuse, bool(flip))

    @property
    def single(self) -> bool:
        """Whether only the picture itself is shown."""
        return self.scales == (Fraction(1),) and not self.flip

    def __iter__(self) -> Iterator[tuple[Fraction, tuple[bool, ...]]]:
        mirrors = (False, True) if self.flip else (False,)
        return ((scale, mirrors) for scale in self.scales)

    def __str__(self) -> str:
        words = []
        if self.scales != (Fraction(1),):
            words.append(f"{self.fuse} of scales {', '.join(f'{float(scale):g}' for scale in self.scales)}")
        if self.flip:
            words.append("mean with the mirror image")
        return ", ".join(words) or "the picture itself"

    @staticmethod
    def average(pair: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The mean of the scores of a picture and, if it was shown, of its mirror image, mirrored back."""
        if len(pair) == 1:
            return pair[0]
        mean = pair[0] + pair[1][:, :, ::-1]
        mean *= np.float32(0.5)
        return mean

    def fused(self, so_far: NDArray[np.float32] | None, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores of one more scale taken in; for a mean they are sums until the last, see `finished`."""
        if so_far is None:
            return scores
        combine = np.maximum if self.fuse == "max" else np.add
        result: NDArray[np.float32] = combine(so_far, scores, out=so_far)
        return result

    def finished(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """What `fused` made of all scales."""
        if self.fuse == "mean" and len(self.scales) > 1:
            scores *= np.float32(1 / len(self.scales))
        return scores
