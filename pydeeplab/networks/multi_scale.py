"""Inputs at three scales (paper, section 4.1.2): copies of a net that share their parameters, fused by their scores."""

from __future__ import annotations

from pydeeplab.networks import heads
from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import Dataset

__all__ = ["SCALES", "fusion", "losses", "scaled_inputs"]

SCALES = {"": "1", "_res05": "0.5", "_res075": "0.75"}
"""What the names of each copy end in, and its scale."""


def scaled_inputs(net: NetBuilder) -> None:
    """The blobs data_res05 and data_res075."""
    net.section("inputs at scales 0.5 and 0.75")
    net.interp("data_res05", "data", shrink=2)
    net.interp("data_res075", "data", shrink=4, zoom=3)


def fusion(net: NetBuilder, classifier: str) -> str:
    """The largest score of the three scales at each place; returns the blob."""
    net.section("the largest score of the three scales")
    half = net.interp(f"{classifier}_res05_interp", f"{classifier}_res05", zoom=2)
    three_quarters = net.interp(f"{classifier}_res075_interp", f"{classifier}_res075", shrink=3, zoom=4)
    return net.eltwise("fc_fusion", [classifier, three_quarters, half], "MAX")


def losses(net: NetBuilder, dataset: Dataset, classifier: str, labels: str, stride: int = 8) -> None:
    """A loss for the scores of each scale, beside that for the fused ones."""
    heads.loss(net, dataset, classifier, labels, suffix="_res1")
    heads.loss(net, dataset, f"{classifier}_res075_interp", labels, suffix="_res075")
    half = heads.label_shrink(net, 2 * stride, name=f"label_shrink{2 * stride}")
    heads.loss(net, dataset, f"{classifier}_res05", half, suffix="_res05")
