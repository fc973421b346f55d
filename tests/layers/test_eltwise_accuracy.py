"""EltwiseAccuracy: hits, ties, ignored pixels."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.errors import DataError, LayerError
from tests.layers.nets import run

SCORES = np.array([[5, 1, 2], [0, 0, 9], [3, 3, 1], [2, 2, 2]], np.float32).T.reshape(1, 3, 2, 2)


def accuracy(labels: list[int], param: str = "") -> float:
    arrays = {"x": SCORES, "t": np.array(labels, np.float32).reshape(1, 1, 2, 2)}
    net = run(f'type: "EltwiseAccuracy" top: "y" eltwise_accuracy_param {{ {param} }}', arrays)
    assert net.blobs["y"].shape == (1, 1, 1, 1)
    return float(net.blobs["y"].data.item())


@pytest.mark.parametrize(
    ("labels", "param", "expected"),
    [
        ([0, 2, 1, 2], "", 1.0),  # of equal scores the higher class is the prediction
        ([0, 2, 0, 1], "", 0.5),
        ([0, 2, 0, 1], "top_k: 2", 1.0),
        ([1, 1, 2, 0], "top_k: 2", 0.25),
        ([0, 255, 0, 255], "ignore_label: 255", 0.5),
        ([255, 255, 255, 255], "ignore_label: 255", 0.0),
    ],
)
def test_share_of_hits(labels: list[int], param: str, expected: float) -> None:
    assert accuracy(labels, param) == expected


def test_mistakes_are_named() -> None:
    with pytest.raises(LayerError, match=r"top_k must be in 1\.\.3"):
        accuracy([0, 0, 0, 0], "top_k: 4")
    with pytest.raises(DataError, match="unexpected label 7"):
        accuracy([0, 7, 0, 0])
