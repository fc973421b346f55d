"""The trunks with their heads, as functions that add them to a net."""

from __future__ import annotations

from pydeeplab.networks import resnet101, vgg16
from pydeeplab.networks.builder import FROZEN, TRUNK, NetBuilder
from pydeeplab.networks.datasets import Dataset
from pydeeplab.networks.multi_scale import SCALES, fusion, scaled_inputs
from pydeeplab.networks.network import Scores

__all__ = ["resnet", "resnet_multi_scale", "vgg", "vgg_aspp", "vgg_side_heads"]


def vgg(channels: int, kernel_size: int, rate: int, *, kernel_2: bool = False) -> Scores:
    """VGG-16 with a single branch of fc6, fc7 and classifier; the 3x3 variant averages pool5 first (pool5a)."""

    def scores(net: NetBuilder, dataset: Dataset, classifier: str) -> str:
        net.section("VGG-16")
        blob = vgg16.trunk(net, kernel_2=kernel_2)
        net.section("head")
        if kernel_size == 3:
            blob = net.pool("pool5a", blob, 3, 1, 1, method="AVE")
        return vgg16.fc_head(
            net, blob, classifier, dataset.classes, channels=channels, kernel_size=kernel_size, rate=rate
        )

    return scores


def vgg_side_heads(channels: int, kernel_size: int, rate: int) -> Scores:
    """VGG-16 that stays as it is, and classifiers on its early blobs that learn; all scores are summed."""

    largefov = kernel_size == 3
    frozen = FROZEN if largefov else ((0, 0), (0, 0))

    def scores(net: NetBuilder, dataset: Dataset, classifier: str) -> str:
        sides: list[str] = []
        net.section("VGG-16, frozen, with a side head on each pool")
        blob = vgg16.trunk(
            net,
            multipliers=frozen,
            beside=lambda pool: sides.append(vgg16.side_head(net, pool, dataset.classes)),
        )
        net.section("head")
        if largefov:
            blob = net.pool("pool5a", blob, 3, 1, 1, method="AVE")
        blob = vgg16.fc_head(
            net,
            blob,
            classifier,
            dataset.classes,
            channels=channels,
            kernel_size=kernel_size,
            rate=rate,
            multipliers=frozen,
            classifier_multipliers=frozen if largefov else TRUNK,
        )
        net.section("fusion")
        if net.training:
            return net.eltwise("fc_fusion", [*sides, blob])
        zooms = {"pool1": 2, "pool2": 4, "pool3": 8, "pool4": 8}
        full = [sides[0], *(net.interp(f"{p}_interp", f"{p}_ms", zoom=zoom) for p, zoom in zooms.items())]
        return net.eltwise("fc_fusion", [*full, net.interp("fc8_interp", blob, zoom=8)])

    return scores


def vgg_aspp(*rates: int) -> Scores:
    """VGG-16 with parallel branches of several rates."""

    def scores(net: NetBuilder, dataset: Dataset, classifier: str) -> str:
        net.section("VGG-16")
        blob = vgg16.trunk(net)
        net.section("atrous spatial pyramid pooling: rates " + ", ".join(map(str, rates)))
        return vgg16.aspp(net, blob, classifier, dataset.classes, rates)

    return scores


def _resnet_head(
    net: NetBuilder, head: str, bottom: str, classifier: str, classes: int, suffix: str, shared: bool
) -> str:
    if head == "aspp":
        return resnet101.aspp_head(net, bottom, classifier, classes, suffix=suffix, shared=shared)
    rate = 12 if head == "largefov" else 0
    return resnet101.conv_head(net, bottom, classifier, classes, rate=rate, suffix=suffix, shared=shared)


def resnet(head: str) -> Scores:
    """ResNet-101 with the head "plain" (1x1), "largefov" (3x3, rate 12) or "aspp"."""

    def scores(net: NetBuilder, dataset: Dataset, classifier: str) -> str:
        net.section("ResNet-101")
        blob = resnet101.trunk(net)
        net.section("head")
        return _resnet_head(net, head, blob, classifier, dataset.classes, "", False)

    return scores


def resnet_multi_scale(head: str) -> Scores:
    """Three ResNet-101 that share their parameters, at scales 1, 0.75 and 0.5, fused by their largest score."""

    def scores(net: NetBuilder, dataset: Dataset, classifier: str) -> str:
        scaled_inputs(net)
        blobs = []
        for suffix, scale in SCALES.items():
            net.section(f"ResNet-101 at scale {scale}")
            blobs.append(resnet101.trunk(net, f"data{suffix}", suffix=suffix, shared=True))
        net.section("heads")
        for blob, suffix in zip(blobs, SCALES, strict=True):
            _resnet_head(net, head, blob, classifier, dataset.classes, suffix, True)
        return fusion(net, classifier)

    return scores
