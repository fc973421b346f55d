"""Putting a net together: data, trunk and head, and what follows the scores."""

from __future__ import annotations

from pydeeplab.networks import heads, multi_scale
from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.datasets import Dataset
from pydeeplab.networks.network import Network

__all__ = ["KINDS", "build"]

KINDS = ("train", "test", "deploy")


def build(network: Network, dataset: Dataset, kind: str) -> NetBuilder:
    """Write one of a network's three nets.

    Parameters
    ----------
    kind : {"train", "test", "deploy"}
        For the solver, for a list of images, or for images of one's own.
    """
    net = NetBuilder(f"{dataset.folder}/{network.folder}", training=kind == "train")
    if kind == "train":
        heads.train_data(
            net,
            dataset,
            crop_size=network.train_crop(),
            batch_size=network.batch_size(dataset),
            augment=dataset.folder in network.augmented,
        )
    elif kind == "test":
        heads.test_data(net, dataset, crop=network.test_crop(dataset), labels=not network.vgg)
    else:
        heads.deploy_data(net)
    scores = network.scores(net, dataset, network.classifier(dataset))
    if kind == "train":
        _losses(net, network, dataset, scores)
    else:
        _full_resolution(net, network, dataset, scores, kind)
    return net


def _losses(net: NetBuilder, network: Network, dataset: Dataset, scores: str) -> None:
    net.section("labels and losses")
    labels = heads.label_shrink(net, pad_beg=-1 if network.kernel_2 else 0)
    heads.loss(net, dataset, scores, labels)
    if network.multi_scale:
        multi_scale.losses(net, dataset, network.classifier(dataset), labels)


def _full_resolution(net: NetBuilder, network: Network, dataset: Dataset, scores: str, kind: str) -> None:
    blob = scores
    if not network.side_heads:
        net.section("scores at full resolution")
        blob = net.interp("fc8_interp" if network.vgg else "fc1_interp", scores, zoom=8)
    if network.kernel_2:
        # Score 0 lies 3.5 pixels outside the image: cut what hangs over, for inputs of 8k+2 (test) or 8k+1 (deploy).
        blob = net.layer(
            "fc8_crop", "Padding", blob, padding_param={"pad_beg": -7, "pad_end": -8 if kind == "test" else -1}
        )
    if kind == "deploy":
        return
    net.section("results")
    if network.vgg:
        heads.mat_write(net, dataset, "fc8_crop_mat" if network.kernel_2 else "fc8_mat", blob, "fc8")
    else:
        accuracy = {"ignore_label": dataset.ignore_label, "reset": False}
        net.layer("accuracy", "SegAccuracy", [blob, "label"], "fc1_accuracy", seg_accuracy_param=accuracy)
    heads.silence(net, ["label", "data_dim"])
