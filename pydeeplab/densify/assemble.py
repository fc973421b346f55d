"""The dense net's texts: trunk, head, and what surrounds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydeeplab.densify.head import ASPP, LargeFOV
from pydeeplab.densify.messages import add_layer, for_kind, shared_names
from pydeeplab.densify.pace import Step
from pydeeplab.densify.plan import Arrays, Plan, Source
from pydeeplab.densify.subject import Site
from pydeeplab.densify.thinning import Converted, same_padding
from pydeeplab.networks import heads, multi_scale
from pydeeplab.networks.builder import CLASSIFIER, Gaussian, NetBuilder

__all__ = ["KINDS", "RESERVED", "write_net"]

KINDS = ("train", "test", "deploy")
MSRA = {"type": "msra"}
RESERVED = {"accuracy", "data_dim", "data_pad", "data_res05", "data_res075", "fc_fusion", "label", "loss", "silence"}
"""Names of layers and blobs around a trunk."""


def write_net(plan: Plan, kind: str, *, batch_size: int) -> tuple[NetBuilder, dict[str, Source]]:
    """One of the nets, and where the parameters of its layers come from: with their values for the last kind."""
    return _Writer(plan, kind).write(batch_size)


class _Writer:
    """Writes one net."""

    def __init__(self, plan: Plan, kind: str):
        self.plan = plan
        self.kind = kind
        self.net = NetBuilder(f"{plan.subject.name or 'net'} dense", training=kind == "train")
        self.sources: dict[str, Source] = {}

    def write(self, batch_size: int) -> tuple[NetBuilder, dict[str, Source]]:
        plan, net = self.plan, self.net
        if self.kind == "train":
            heads.train_data(
                net, plan.dataset, crop_size=plan.size(321), batch_size=batch_size, augment=False, images=plan.images
            )
        elif self.kind == "test":
            heads.test_data(net, plan.dataset, crop=plan.crop(), labels=True, images=plan.images)
        else:
            heads.deploy_data(net, plan.size(513), plan.images.channels)
        net.blobs["data"] = plan.images.channels
        suffixes: Mapping[str, str] = multi_scale.SCALES if plan.multi_scale else {"": "1"}
        if plan.multi_scale:
            multi_scale.scaled_inputs(net)
        blobs = {}
        for suffix, scale in suffixes.items():
            net.section(f"trunk{f' at scale {scale}' if plan.multi_scale else ''}, output stride {plan.stride}")
            blobs[suffix] = self._trunk(suffix)
        net.section("heads" if plan.multi_scale else "head")
        for suffix, blob in blobs.items():
            self._head(blob, suffix)
        scores = multi_scale.fusion(net, plan.classifier) if plan.multi_scale else plan.classifier
        if self.kind == "train":
            self._losses(scores)
        else:
            self._full_resolution(scores)
        return net, self.sources

    # The trunk -----------------------------------------------------------------------------------------------------

    def _trunk(self, suffix: str) -> str:
        plan, net, grid = self.plan, self.net, self.plan.grid
        blob = f"data{suffix}"
        if grid.pad_begin or grid.pad_end:
            pads = {"pad_beg": grid.pad_begin or None, "pad_end": grid.pad_end or None}
            blob = net.layer(f"data_pad{suffix}", "Padding", blob, padding_param=pads)
        names = {plan.subject.image: blob}
        for step, layer in zip(plan.steps, plan.layers, strict=True):
            self._copy(layer, step, names, suffix)
        blob = names.get(plan.subject.last, plan.subject.last + suffix)
        if grid.cut_begin or grid.cut_end:
            cuts = {"pad_beg": -grid.cut_begin or None, "pad_end": -grid.cut_end or None}
            blob = net.layer(f"{plan.subject.last}_crop{suffix}", "Padding", blob, padding_param=cuts)
        return blob

    def _copy(self, layer: Any, step: Step, names: Mapping[str, str], suffix: str) -> None:
        site, plan = step.site, self.plan
        blobs = len(site.layer.blobs)
        copy = for_kind(
            layer,
            blobs,
            training=self.net.training,
            shared=plan.multi_scale,
            normalised=plan.subject.normalised,
        )
        copy.name += suffix
        for blob_names in (copy.bottom, copy.top):
            blob_names[:] = [names.get(name, name + suffix) for name in blob_names]
        add_layer(self.net, copy, site.top_shapes[0][1] if len(site.top_shapes[0]) > 1 else 0)
        if blobs and not suffix:
            arrays = self._arrays(site, lambda: site.arrays)
            self.sources[site.name] = Source("kept", site.name, site.layer.blobs[0].shape, arrays=arrays)

    def _arrays(self, site: Site, make: Callable[[], Arrays]) -> Arrays:
        """What ``make`` gives, for layers that weights were given for; once, not for each of the nets."""
        return make() if self.kind == KINDS[-1] and site.name not in self.plan.subject.absent else ()

    # The head ------------------------------------------------------------------------------------------------------

    def _head(self, blob: str, suffix: str) -> None:
        plan = self.plan
        if not plan.converted:
            self._classifiers(blob, suffix)
        elif isinstance(plan.head, ASPP):
            branches = [
                self._branch(blob, rate, suffix, f"_{number}") for number, rate in enumerate(plan.head.rates, start=1)
            ]
            self.net.eltwise(plan.classifier + suffix, branches)
        else:
            if plan.average:
                blob = self.net.pool(f"{plan.subject.last}a{suffix}", blob, 3, 1, 1, method="AVE")
            self._branch(blob, plan.head.rate or 0, suffix, "")

    def _branch(self, blob: str, rate: int, suffix: str, branch: str) -> str:
        """Fully connected layers as convolutions, the pointwise layers between them, and a classifier."""
        plan = self.plan
        converted = {c.site.name: c for c in plan.converted}
        layer = plan.converted[0]
        first = layer.site.name
        for site in plan.subject.hidden:
            name = site.name + branch + suffix
            if site.name in converted:
                layer = converted[site.name]
                rates = ((rate, rate) if rate else plan.rate) if site.name == first else (1, 1)
                blob = self._convolution(layer, name, blob, rates, site.name + branch)
                if not suffix:
                    arrays = self._arrays(site, layer.arrays)
                    self.sources[name] = Source(layer.how, site.name, layer.shape, layer.map_shape[1:], arrays)
            else:
                blob = self._pointwise(site, name, blob, layer, site.name + branch)
        return self._classifier(blob, suffix, branch)

    def _pointwise(self, site: Site, name: str, blob: str, before: Converted, shared_as: str) -> str:
        """A layer between fully connected ones; ``before`` is the one that it follows."""
        plan, net = self.plan, self.net
        in_place = site.param.bottom[0] == site.param.top[0]
        copy = type(site.param)()
        copy.CopyFrom(site.param)
        copy.name = shared_as
        copy = for_kind(
            copy,
            len(site.layer.blobs),
            training=net.training,
            shared=plan.multi_scale,
            normalised=plan.subject.normalised,
        )
        copy.name = name
        copy.bottom[:], copy.top[:] = [blob], [blob if in_place else name]
        if site.layer.blobs and name == shared_as:
            arrays = self._arrays(site, lambda: [before.thinned(array) for array in site.arrays])
            shape = arrays[0].shape if arrays else ()
            self.sources[name] = Source(before.kept_filters, site.name, shape, arrays=arrays)
        return add_layer(net, copy, net.blobs[blob])

    def _convolution(self, layer: Converted, name: str, blob: str, rate: tuple[int, int], shared_as: str) -> str:
        height, width = layer.kernel
        pad = same_padding(layer.kernel, rate, name)
        if height != width or rate[0] != rate[1]:
            raise layer.site.error("becomes a window that is not square, which is not supported; thin it: --largefov")
        return self.net.convolution(
            name,
            blob,
            len(layer.outputs),
            height,
            pad=pad[0],
            dilation=rate[0] if height > 1 else 1,
            bias=layer.bias,
            weight_filler=MSRA,
            share=shared_names(shared_as, 1 + layer.bias) if self.plan.multi_scale else (),
        )

    def _classifiers(self, blob: str, suffix: str) -> None:
        """Classifiers right on the last map: 1x1, or with a window, or several."""
        plan = self.plan
        if isinstance(plan.head, ASPP):
            kernel = plan.head.kernel_size
            branches = [
                self._classifier(blob, suffix, f"_c{i}", kernel, rate) for i, rate in enumerate(plan.head.rates)
            ]
            self.net.eltwise(plan.classifier + suffix, branches)
        elif isinstance(plan.head, LargeFOV):
            self._classifier(blob, suffix, "", plan.head.kernel_size, plan.head.rate)
        else:
            self._classifier(blob, suffix, "")

    def _classifier(self, blob: str, suffix: str, ending: str, kernel: int = 1, rate: int = 1) -> str:
        base, classes = self.plan.classifier, self.plan.dataset.classes
        name = base + suffix + ending
        shared = [f"{base}{ending}_w", f"{base}{ending}_b"] if self.plan.multi_scale else []
        if not suffix:
            self.sources[name] = Source("new", "", (classes, self.net.blobs[blob], kernel, kernel))
        return self.net.convolution(
            name,
            blob,
            classes,
            kernel,
            pad=same_padding((kernel, kernel), (rate, rate), name)[0],
            dilation=rate if kernel > 1 else 1,
            multipliers=CLASSIFIER,
            weight_filler=Gaussian(0.01),
            bias_filler=True,
            share=shared,
        )

    # Behind the scores -----------------------------------------------------------------------------------------------

    def _losses(self, scores: str) -> None:
        plan, net = self.plan, self.net
        net.section("labels and losses")
        labels = "label" if plan.stride == 1 else heads.label_shrink(net, plan.stride)
        heads.loss(net, plan.dataset, scores, labels)
        if plan.multi_scale:
            multi_scale.losses(net, plan.dataset, plan.classifier, labels, plan.stride)

    def _full_resolution(self, scores: str) -> None:
        plan, net = self.plan, self.net
        blob = scores
        if plan.stride > 1:
            net.section("scores at full resolution")
            blob = net.interp(plan.scores, scores, zoom=plan.stride)
        if self.kind == "deploy":
            return
        net.section("results")
        accuracy = {"ignore_label": plan.dataset.ignore_label, "reset": False}
        net.layer("accuracy", "SegAccuracy", [blob, "label"], seg_accuracy_param=accuracy)
        heads.silence(net, ["label", "data_dim"])
