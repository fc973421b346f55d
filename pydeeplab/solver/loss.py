"""The loss averaged over the last iterations, for display."""

from __future__ import annotations

from typing import Any

__all__ = ["SmoothedLoss"]


class SmoothedLoss:
    """The mean of the last ``size`` losses, computed as Caffe computes it.

    Examples
    --------
    >>> smoothed = SmoothedLoss(2)
    >>> [smoothed.add(loss) for loss in (1.0, 3.0, 5.0)]
    [1.0, 2.0, 4.0]
    """

    def __init__(self, size: int):
        self.size = max(1, size)
        self.value = 0.0
        self._losses: list[float] = []
        self._count = 0

    def add(self, loss: float) -> float:
        """Take in the loss of one more iteration; returns the mean."""
        if len(self._losses) < self.size:
            self._losses.append(loss)
            n = len(self._losses)
            self.value = (self.value * (n - 1) + loss) / n
        else:
            oldest = self._count % self.size
            self.value += (loss - self._losses[oldest]) / self.size
            self._losses[oldest] = loss
        self._count += 1
        return self.value

    @property
    def state(self) -> dict[str, Any]:
        """What `state` may be set to, to go on from here."""
        return {"value": self.value, "losses": list(self._losses), "count": self._count}

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        if len(saved["losses"]) <= self.size and (len(saved["losses"]) == self.size or saved["count"] < self.size):
            self.value, self._losses, self._count = saved["value"], list(saved["losses"]), saved["count"]
