"""A small trunk with batch normalisation and DeepLab's heads on it, trained from its fillers."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.networks.builder import TRUNK, Gaussian, Multipliers, NetBuilder

__all__ = ["SCALES", "multi_scale", "scores"]

CONV: Multipliers = ((1, 1),)
MSRA = {"type": "msra"}
STEM = (16, 32, 64)
"""Channels of the convolutions with a stride of 2 that bring the picture to an eighth."""

UNITS = (("res4a", 1), ("res4b", 2), ("res5a", 4))
"""Residual units at an eighth of the picture, and the rates of their two 3x3 convolutions."""

HEAD = 64
"""Channels of fc6."""

SCALES = {"": 1.0, "_res05": 0.5, "_res075": 0.75}
"""Suffix of the layers and blobs at each scale of the input."""


class _Copy:
    """One copy of the net. ``suffix`` marks its layers and blobs; the copies share parameters by name."""

    def __init__(self, net: NetBuilder, suffix: str, shared: bool):
        self.net, self.suffix, self.shared = net, suffix, shared

    def block(self, name: str, bottom: str, channels: int, *, stride: int = 1, rate: int = 1, relu: bool = True) -> str:
        """A 3x3 convolution, BatchNorm, Scale and perhaps ReLU."""
        top = self.net.convolution(
            name + self.suffix,
            bottom,
            channels,
            3,
            stride=stride,
            pad=rate,
            dilation=rate,
            bias=False,
            multipliers=CONV,
            weight_filler=MSRA,
            share=self._names(name, 1),
        )
        self.net.batch_norm(
            top,
            f"bn_{name}{self.suffix}",
            f"scale_{name}{self.suffix}",
            share_bn=self._names(f"bn_{name}", 3),
            share_scale=self._names(f"scale_{name}", 2),
        )
        if relu:
            self.net.relu(f"{name}_relu{self.suffix}", top)
        return top

    def unit(self, name: str, bottom: str, rate: int) -> str:
        """Two blocks beside the identity."""
        channels = self.net.blobs[bottom]
        blob = self.block(f"{name}_branch2a", bottom, channels, rate=rate)
        blob = self.block(f"{name}_branch2b", blob, channels, rate=rate, relu=False)
        top = self.net.eltwise(name + self.suffix, [bottom, blob])
        self.net.relu(f"{name}_relu{self.suffix}", top)
        return top

    def trunk(self, bottom: str) -> str:
        """conv1 to res5a at an output stride of 8."""
        blob = bottom
        for number, channels in enumerate(STEM, start=1):
            blob = self.block(f"conv{number}", blob, channels, stride=2)
        for name, rate in UNITS:
            blob = self.unit(name, blob, rate)
        return blob

    def branch(self, bottom: str, classifier: str, classes: int, rate: int, number: str = "") -> str:
        """fc6 of a rate and its classifier."""
        blob = self.block(f"fc6{number}", bottom, HEAD, rate=rate)
        name = f"{classifier}{number}"
        return self.net.convolution(
            name + self.suffix,
            blob,
            classes,
            1,
            multipliers=TRUNK,
            weight_filler=Gaussian(0.01),
            bias_filler=True,
            share=[f"{name}_w", f"{name}_b"] if self.shared else (),
        )

    def head(self, bottom: str, classifier: str, classes: int, rates: Sequence[int]) -> str:
        """One branch (LargeFOV), or several that are summed (ASPP)."""
        if len(rates) == 1:
            return self.branch(bottom, classifier, classes, rates[0])
        branches = [self.branch(bottom, classifier, classes, r, f"_{i}") for i, r in enumerate(rates, start=1)]
        return self.net.eltwise(classifier + self.suffix, branches)

    def _names(self, layer: str, count: int) -> list[str]:
        return [f"{layer}_{i}" for i in range(count)] if self.shared else []


def scores(net: NetBuilder, classifier: str, classes: int, rates: Sequence[int]) -> str:
    """Trunk and head; returns the blob of scores at an eighth of the picture."""
    copy = _Copy(net, "", shared=False)
    net.section("trunk")
    blob = copy.trunk("data")
    net.section("head: rates " + ", ".join(map(str, rates)) if len(rates) > 1 else f"head: rate {rates[0]}")
    return copy.head(blob, classifier, classes, rates)


def multi_scale(net: NetBuilder, classifier: str, classes: int, rates: Sequence[int]) -> str:
    """Three copies that share their parameters, at scales 1, 0.75 and 0.5; returns the blob of largest scores."""
    net.section("inputs at scales 0.5 and 0.75")
    net.interp("data_res05", "data", shrink=2)
    net.interp("data_res075", "data", shrink=4, zoom=3)
    for suffix, scale in SCALES.items():
        net.section(f"trunk and head at scale {scale:g}")
        copy = _Copy(net, suffix, shared=True)
        copy.head(copy.trunk(f"data{suffix}"), classifier, classes, rates)
    net.section("the largest score of the three scales")
    half = net.interp(f"{classifier}_res05_interp", f"{classifier}_res05", zoom=2)
    three_quarters = net.interp(f"{classifier}_res075_interp", f"{classifier}_res075", shrink=3, zoom=4)
    return net.eltwise("fc_fusion", [classifier, three_quarters, half], "MAX")
