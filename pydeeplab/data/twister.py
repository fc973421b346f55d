"""Caffe's random numbers for data: a Mersenne twister read 32 bits at a time."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Any

import numpy as np

__all__ = ["Twister"]


class Twister:
    """The generator MT19937, seeded as C++'s ``mt19937`` is.

    Parameters
    ----------
    seed : int
        0..2**32-1.

    Examples
    --------
    >>> Twister(5489).next()
    3499211612
    """

    def __init__(self, seed: int):
        self._bits = np.random.MT19937()
        self.state = np.random.RandomState(seed).get_state(legacy=False)

    def next(self) -> int:
        """The next raw number, 0..2**32-1."""
        return int(self._bits.random_raw())

    def below(self, n: int) -> int:
        """A number in 0..n-1, as Caffe makes one: the next raw number modulo n."""
        return self.next() % n

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Permute in place, from the last item down, dividing the raw range into equal buckets (as Boost does)."""
        for last in range(len(items) - 1, 0, -1):
            bucket = 2**32 // (last + 1)
            other = self.next() // bucket
            while other > last:
                other = self.next() // bucket
            items[last], items[other] = items[other], items[last]

    @property
    def state(self) -> dict[str, Any]:
        """The whole state, to be put back later: ``twister.state = saved``."""
        return dict(self._bits.state)

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        self._bits.state = saved  # type: ignore[assignment]
