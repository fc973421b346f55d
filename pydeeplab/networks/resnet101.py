"""ResNet-101 made dense (paper, sections 3.1 and 4.1.2), with the layer names of its ImageNet weights."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.networks.builder import CLASSIFIER, Gaussian, Multipliers, NetBuilder

__all__ = ["ASPP_RATES", "aspp_head", "conv_head", "trunk"]

ASPP_RATES = (6, 12, 18, 24)
CONV: Multipliers = ((1, 1),)
STAGES = (
    (2, ("a", "b", "c"), 64, 1, 1),
    (3, ("a", "b1", "b2", "b3"), 128, 2, 1),
    (4, ("a", *(f"b{i}" for i in range(1, 23))), 256, 1, 2),
    (5, ("a", "b", "c"), 512, 1, 4),
)
"""Number, units, inner channels, stride of the first unit, rate of the 3x3 convolutions."""


class _Trunk:
    """One copy of the trunk. ``suffix`` marks its layers and blobs; the copies share parameters by name."""

    def __init__(self, net: NetBuilder, suffix: str, shared: bool):
        self.net, self.suffix, self.shared = net, suffix, shared

    def convolution(
        self,
        name: str,
        bottom: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        dilation: int = 1,
        relu: bool,
    ) -> str:
        """Convolution, BatchNorm, Scale and perhaps ReLU; ``name`` begins with ``conv`` or ``res``."""
        top = self.net.convolution(
            name + self.suffix,
            bottom,
            channels,
            kernel,
            stride=stride,
            pad=pad,
            dilation=dilation,
            bias=False,
            multipliers=CONV,
            share=self._names(name, 1),
        )
        tail = name.removeprefix("res") if name.startswith("res") else f"_{name}"
        bn, scale = f"bn{tail}", f"scale{tail}"
        self.net.normalise(
            top, bn + self.suffix, scale + self.suffix, share_bn=self._names(bn, 3), share_scale=self._names(scale, 2)
        )
        if relu:
            self.net.relu(f"{name}_relu{self.suffix}", top)
        return top

    def unit(self, name: str, bottom: str, inner: int, stride: int, rate: int, *, first: bool) -> str:
        """A bottleneck unit: 1x1, 3x3, 1x1 and the identity, or a projection in a stage's first unit."""
        shortcut = bottom
        if first:
            shortcut = self.convolution(f"{name}_branch1", bottom, 4 * inner, 1, stride=stride, relu=False)
        blob = self.convolution(f"{name}_branch2a", bottom, inner, 1, stride=stride, relu=True)
        blob = self.convolution(f"{name}_branch2b", blob, inner, 3, pad=rate, dilation=rate, relu=True)
        blob = self.convolution(f"{name}_branch2c", blob, 4 * inner, 1, relu=False)
        top = self.net.eltwise(name + self.suffix, [shortcut, blob])
        self.net.relu(f"{name}_relu{self.suffix}", top)
        return top

    def _names(self, layer: str, count: int) -> list[str]:
        return [f"{layer}_{i}" for i in range(count)] if self.shared else []


def trunk(net: NetBuilder, bottom: str = "data", *, suffix: str = "", shared: bool = False) -> str:
    """conv1 to res5c at an output stride of 8; returns the last blob.

    The strides of stages 4 and 5 are gone; their 3x3 convolutions have rates 2 and 4 instead.
    """
    copy = _Trunk(net, suffix, shared)
    blob = copy.convolution("conv1", bottom, 64, 7, stride=2, pad=3, relu=True)
    blob = net.pool(f"pool1{suffix}", blob, 3, 2, 1)
    for stage, units, inner, stride, rate in STAGES:
        for position, unit in enumerate(units):
            first = position == 0
            blob = copy.unit(f"res{stage}{unit}", blob, inner, stride if first else 1, rate, first=first)
    return blob


def conv_head(
    net: NetBuilder, bottom: str, classifier: str, classes: int, *, rate: int, suffix: str = "", shared: bool = False
) -> str:
    """One convolution as classifier: 1x1 for ``rate`` 0, else 3x3 (LargeFOV: rate 12); returns the scores' blob."""
    return net.convolution(
        classifier + suffix,
        bottom,
        classes,
        3 if rate else 1,
        pad=rate,
        dilation=rate or 1,
        multipliers=CLASSIFIER,
        weight_filler=Gaussian(0.01),
        bias_filler=True,
        share=[f"{classifier}_w", f"{classifier}_b"] if shared else (),
    )


def aspp_head(
    net: NetBuilder,
    bottom: str,
    classifier: str,
    classes: int,
    *,
    rates: Sequence[int] = ASPP_RATES,
    suffix: str = "",
    shared: bool = False,
) -> str:
    """Parallel 3x3 classifiers of several rates, summed (paper, Fig. 4); returns the scores' blob."""
    branches = []
    for number, rate in enumerate(rates):
        names = [f"{classifier}_c{number}_w", f"{classifier}_c{number}_b"] if shared else ()
        branches.append(
            net.convolution(
                f"{classifier}{suffix}_c{number}",
                bottom,
                classes,
                3,
                pad=rate,
                dilation=rate,
                multipliers=CLASSIFIER,
                weight_filler=Gaussian(0.01),
                bias_filler=True,
                share=names,
            )
        )
    return net.eltwise(classifier + suffix, branches)
