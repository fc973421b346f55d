"""In which order the items of a data set are visited."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        self._items = np.arange(length)
        self._position = skip
        self._permute()

    def next(self) -> int:
        """The next item's index."""
        item = int(self._items[self._position])
        self._position += 1
        if self._position == len(self._items):
            self._position = 0
            self._permute()
        return item

    def _permute(self) -> None:
        """Shuffle into a new array: states that were handed out keep the old one."""
        if self._shuffle:
            items = self._items.tolist()
            self._shuffle.shuffle(items)
            self._items = np.array(items)

    @property
    def state(self) -> dict[str, Any]:
        """Where it stands, to be put back later: ``order.state = saved``; its arrays are not to be changed."""
        random = self._shuffle.state if self._shuffle else None
        return {"items": self._items, "position": self._position, "random": random}

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        if len(saved["items"]) != len(self._items):
            raise DataError(f"the saved order has {len(saved['items'])} items, the data set {len(self._items)}")
        self._items, self._position = np.array(saved["items"]), int(saved["position"])
        if self._shuffle and saved["random"]:
            self._shuffle.state = saved["random"]
