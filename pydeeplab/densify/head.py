"""The heads of the paper, as choices: fully connected layers as they are, LargeFOV, ASPP."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydeeplab.errors import UsageError

__all__ = ["ASPP", "Head", "LargeFOV", "Plain"]


def _check(**sizes: int | None) -> None:
    for name, value in sizes.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}")


@dataclass(frozen=True)
class Plain:
    """Fully connected layers become convolutions of their own size; without any, the classifier is 1x1.

    ``rate`` of the first one's window; None takes the rate that makes up for the strides.
    """

    rate: int | None = None

    def __post_init__(self) -> None:
        _check(rate=self.rate)


@dataclass(frozen=True)
class LargeFOV:
    """The first fully connected layer thinned to kernel_size x kernel_size, with a rate and fewer channels.

    ``channels`` of every hidden fully connected layer; None keeps all. Without such layers the classifier itself gets
    the window.
    """

    kernel_size: int = 3
    rate: int = 12
    channels: int | None = 1024

    def __post_init__(self) -> None:
        _check(kernel_size=self.kernel_size, rate=self.rate, channels=self.channels)

    @staticmethod
    def parse(text: str) -> LargeFOV:
        """Read ``3x3:12:1024`` (kernel, rate, channels) or ``3x3:12``, which keeps all channels.

        Raises
        ------
        UsageError
            The text is not of that form.

        Examples
        --------
        >>> LargeFOV.parse("4x4:4")
        LargeFOV(kernel_size=4, rate=4, channels=None)
        """
        found = re.fullmatch(r"(\d{1,4})x(\d{1,4}):(\d{1,6})(?::(\d{1,8}))?", text)
        if found is None or found[1] != found[2]:
            raise UsageError(
                f"LargeFOV wants KxK:RATE:CHANNELS with a square window, such as 3x3:12:1024; got '{text}'"
            )
        return LargeFOV(int(found[1]), int(found[3]), int(found[4]) if found[4] else None)


@dataclass(frozen=True)
class ASPP:
    """Parallel branches of several rates, summed: of thinned fully connected layers, or of 3x3 classifiers."""

    rates: tuple[int, ...] = (6, 12, 18, 24)
    kernel_size: int = 3
    channels: int | None = 1024

    def __post_init__(self) -> None:
        _check(kernel_size=self.kernel_size, channels=self.channels, **{f"rate {r}": r for r in self.rates})
        if len(self.rates) < 2:
            raise UsageError(f"ASPP wants at least two rates, such as 6,12,18,24; got {len(self.rates)}")

    @staticmethod
    def parse(text: str) -> ASPP:
        """Read rates such as ``6,12,18,24``, or ``6,12,18,24:512`` with channels for the hidden layers.

        Raises
        ------
        UsageError
            The text is not of that form.

        Examples
        --------
        >>> ASPP.parse("2,4,8,12").rates
        (2, 4, 8, 12)
        """
        found = re.fullmatch(r"(\d{1,6}(?:,\d{1,6})*)(?::(\d{1,8}))?", text.replace(" ", ""))
        if found is None:
            raise UsageError(
                f"ASPP wants RATE,RATE,... or RATE,RATE,...:CHANNELS, such as 6,12,18,24:1024; got '{text}'"
            )
        return ASPP(tuple(map(int, found[1].split(","))), channels=int(found[2] or 1024))


Head = Plain | LargeFOV | ASPP
