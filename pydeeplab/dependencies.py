"""In which order steps may run, and which of them at once, so that each still finds what it is to read."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

__all__ = ["Access", "Order"]


@dataclass(frozen=True)
class Access:
    """What a step reads and what it writes: keys of pieces of memory, or of anything else that has a state."""

    reads: Collection[Hashable]
    writes: Collection[Hashable]


class Order:
    """An order of steps that changes no result: a step stays behind those that write what it reads or writes, and
    behind those that read what it writes.

    Sets of steps are integers, a bit for each.

    Parameters
    ----------
    accesses : sequence of Access
        The steps in an order that is right.

    Examples
    --------
    Two chains of two steps each, whose second steps are to be run together:

    >>> order = Order([Access("x", "a"), Access("a", "b"), Access("x", "c"), Access("c", "d")])
    >>> order.join(0, 1), order.join(1, 3)
    (False, True)
    >>> order.sequence()
    [[0], [2], [1, 3]]
    """

    def __init__(self, accesses: Sequence[Access]):
        self._unit = [1 << i for i in range(len(accesses))]
        self._before = _ancestors(accesses)

    def join(self, first: int, second: int) -> bool:
        """Have two steps run at once, with all that each already runs with, unless something has to run between."""
        joined, above = self._unit[first] | self._unit[second], self._before[first] | self._before[second]
        if above & joined:
            return False
        for i, unit in enumerate(self._unit):
            if unit & joined:
                self._unit[i], self._before[i] = joined, above
            elif self._before[i] & joined:
                self._before[i] |= joined | above
        return True

    def sequence(self) -> list[list[int]]:
        """The steps, those that run at once in a list of their own; as early as in the given order where possible."""
        waiting, done, found = list(range(len(self._unit))), 0, []
        while waiting:
            first = next(i for i in waiting if not self._before[i] & ~done)
            done |= self._unit[first]
            found.append([i for i in waiting if self._unit[first] >> i & 1])
            waiting = [i for i in waiting if not done >> i & 1]
        return found


def _ancestors(accesses: Sequence[Access]) -> list[int]:
    """Of each step, those that must have run before."""
    before: list[int] = []
    writer: dict[Hashable, int] = {}
    readers: dict[Hashable, int] = {}
    for i, access in enumerate(accesses):
        above = 0
        for key in {*access.reads, *access.writes}:
            above |= writer.get(key, 0)
        for key in access.writes:
            above |= readers.pop(key, 0)
        mine = above | 1 << i
        for key in access.reads:
            readers[key] = readers.get(key, 0) | mine
        for key in access.writes:
            writer[key] = mine
        before.append(above)
    return before
