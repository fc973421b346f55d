"""VGG-16 made dense (paper, section 3.1): the trunk, and the heads of Tables 1 and 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydeeplab.networks.builder import CLASSIFIER, TRUNK, Gaussian, Multipliers, NetBuilder

__all__ = ["aspp", "fc_head", "side_head", "trunk"]

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of convolutions of conv1_x to conv5_x."""

MSRA = {"type": "msra"}


def trunk(
    net: NetBuilder,
    *,
    kernel_2: bool = False,
    multipliers: Multipliers = TRUNK,
    beside: Callable[[str], None] | None = None,
) -> str:
    """conv1_1 to pool5 at an output stride of 8; returns the last blob.

    pool4 and pool5 have no stride; conv5_x has rate 2 instead. ``kernel_2`` chooses the 2x2 windows of the first
    release's 4x4 net (``vgg128_noup``) for pool1 to pool4; the others have 3x3 windows, which keep inputs of 8k+1
    aligned. ``beside`` is called with each of the blobs data, pool1 to pool4 when it is there.
    """
    blob = "data"
    if beside:
        beside(blob)
    for stage, (channels, count) in enumerate(STAGES, start=1):
        rate = 2 if stage == 5 else 1
        for index in range(1, count + 1):
            name = f"conv{stage}_{index}"
            blob = net.convolution(name, blob, channels, 3, pad=rate, dilation=rate, multipliers=multipliers)
            net.relu(f"relu{stage}_{index}", blob)
        name = f"pool{stage}"
        if kernel_2 and stage < 5:
            # The published training net does not pad pool4, the published test net does.
            blob = net.pool(name, blob, 2, 2 if stage < 4 else 1, 0 if stage == 4 and net.training else 1)
        else:
            blob = net.pool(name, blob, 3, 2 if stage < 4 else 1, 1)
        if beside and stage < 5:
            beside(blob)
    return blob


def fc_head(
    net: NetBuilder,
    bottom: str,
    classifier: str,
    classes: int,
    *,
    channels: int,
    kernel_size: int,
    rate: int,
    suffix: str = "",
    multipliers: Multipliers = TRUNK,
    classifier_multipliers: Multipliers = CLASSIFIER,
) -> str:
    """fc6, fc7 and the classifier as convolutions; returns the scores' blob.

    The padding keeps the size: (kernel_size - 1) * rate / 2. fc6 and fc7 have a filler, unlike in the published files,
    so that a net started from the plain ImageNet weights, which lack them, can learn.
    """
    blob = bottom
    for number, window, hole in ((6, kernel_size, rate), (7, 1, 1)):
        blob = net.convolution(
            f"fc{number}{suffix}",
            blob,
            channels,
            window,
            pad=(window - 1) * hole // 2,
            dilation=hole if window > 1 else 1,
            multipliers=multipliers,
            weight_filler=MSRA,
        )
        net.relu(f"relu{number}{suffix}", blob)
        net.dropout(f"drop{number}{suffix}", blob)
    return net.convolution(
        classifier, blob, classes, 1, multipliers=classifier_multipliers, weight_filler=Gaussian(0.01), bias_filler=True
    )


def aspp(net: NetBuilder, bottom: str, classifier: str, classes: int, rates: Sequence[int]) -> str:
    """Parallel fc6-fc7-fc8 branches, summed (paper, Fig. 7b); returns the scores' blob."""
    branches = [
        fc_head(
            net, bottom, f"{classifier}_{number}", classes, channels=1024, kernel_size=3, rate=rate, suffix=f"_{number}"
        )
        for number, rate in enumerate(rates, start=1)
    ]
    return net.eltwise(classifier, branches)


def side_head(net: NetBuilder, pool: str, classes: int) -> str:
    """A small classifier on an early blob (the first release's multi-scale features); returns the scores' blob.

    In training its stride brings every blob to the resolution of pool4; in a test net it has none.
    """
    stride = {"data": 8, "pool1": 4, "pool2": 2}.get(pool, 1) if net.training else 1
    blob = net.convolution(
        f"{pool}_conv", pool, 128, 3, stride=stride, pad=1, weight_filler=Gaussian(0.001), bias_filler=True
    )
    net.relu(f"relu_{pool}_conv", blob)
    net.dropout(f"drop_{pool}_conv", blob)
    std = 0.005 if pool == "pool4" else 0.001
    blob = net.convolution(f"{pool}_fc", blob, 128, 1, weight_filler=Gaussian(std), bias_filler=True)
    net.relu(f"relu_{pool}_fc", blob)
    net.dropout(f"drop_{pool}_fc", blob)
    # The published pool3_ms starts at zero.
    filler = None if pool == "pool3" else Gaussian(0.01)
    return net.convolution(f"{pool}_ms", blob, classes, 1, weight_filler=filler, bias_filler=True)
