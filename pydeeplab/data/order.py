"""In which order the items of a data set are visited."""

from __future__ import annotations

from typing import Any

from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError

__all__ = ["Order"]


class Order:
    """Endless visits to items 0..length-1: in order, from the start again at the end.

    Parameters
    ----------
    length : int
        Number of items, at least 1.
    shuffle : Twister, optional
        Permutes the items before the first round, and what came out of that before each further one, as Caffe does.
    skip : int
        Items passed over in the first round.

    Raises
    ------
    DataError
        There are no items, or no more than ``skip``.
    """

    def __init__(self, length: int, shuffle: Twister | None = None, skip: int = 0):
        if length <= skip:
            raise DataError(f"cannot skip {skip} of {length} items")
        self._shuffle = shuffle
        self._items = list(range(length))
        self._position = skip
        if shuffle:
            shuffle.shuffle(self._items)

    def next(self) -> int:
        """The next item's index."""
        item = self._items[self._position]
        self._position += 1
        if self._position == len(self._items):
            self._position = 0
            if self._shuffle:
                self._shuffle.shuffle(self._items)
        return item

    @property
    def state(self) -> dict[str, Any]:
        """Where it stands, to be put back later: ``order.state = saved``."""
        random = self._shuffle.state if self._shuffle else None
        return {"items": list(self._items), "position": self._position, "random": random}

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        if len(saved["items"]) != len(self._items):
            raise DataError(f"the saved order has {len(saved['items'])} items, the data set {len(self._items)}")
        self._items, self._position = list(saved["items"]), saved["position"]
        if self._shuffle and saved["random"]:
            self._shuffle.state = saved["random"]
