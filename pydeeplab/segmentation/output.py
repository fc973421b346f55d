"""What comes out of a net: scores of classes, probabilities, or labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import get_backend
from pydeeplab.net import Net
from pydeeplab.segmentation.ends import find_output, producer_of

__all__ = ["Output"]

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Output:
    """A net's score maps, by what makes them.

    Attributes
    ----------
    name : str
        The blob.
    producer : str
        The type of the layer that makes it.
    maps : int
        Its channels.

    Examples
    --------
    >>> Output("labels", "ArgMax", 1).classes is None
    True
    >>> Output("share", "Sigmoid", 1).scores(np.array([[[0.25]]], np.float32)).ravel().tolist()
    [0.75, 0.25]
    """

    name: str
    producer: str
    maps: int

    @classmethod
    def of(cls, net: Net, name: str | None = None) -> Output:
        """The output of that name, or the last one with several channels.

        Raises
        ------
        UsageError
            There is none, or it is no score map.
        """
        name = name or find_output(net)
        return cls(name, producer_of(net, name), net.blobs[name].shape[1])

    @property
    def gives_labels(self) -> bool:
        """Whether it is a label map, not scores."""
        return self.producer == "ArgMax"

    @property
    def normalised(self) -> bool:
        """Whether the scores are probabilities already."""
        return self.producer in ("Softmax", "Sigmoid", "DenseCRF")

    @property
    def classes(self) -> int | None:
        """The number of classes that are told apart; None where there are labels only."""
        if self.gives_labels:
            return None
        return 2 if self.maps == 1 else self.maps

    def scores(self, maps: Maps) -> Maps:
        """A map for each class: two where the net has a single sigmoid."""
        if self.producer == "Sigmoid" and len(maps) == 1:
            return np.concatenate([1 - maps, maps])
        return maps

    def probabilities(self, scores: Maps) -> Maps:
        """The softmax of scores that are no probabilities yet."""
        if self.normalised:
            return scores
        shares = np.empty_like(scores)
        flat = (1, len(scores), -1)
        get_backend("cpu").kernels.softmax_forward(scores.reshape(flat), shares.reshape(flat))
        return shares

    def labels(self, scores: Maps) -> NDArray[Any]:
        """The class of the largest score at each pixel, the first of equals; of a net's own labels, these."""
        if self.gives_labels and len(scores) == 1:
            labels = np.rint(scores[0]).astype(np.int32)
            return labels.astype(np.uint8) if labels.max(initial=0) < 256 else labels
        return scores.argmax(axis=0).astype(np.uint8 if len(scores) <= 256 else np.int32)
