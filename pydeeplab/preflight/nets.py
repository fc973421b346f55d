"""Checking nets: crops, memory, and layers that start from zero."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pydeeplab.analysis import summarise
from pydeeplab.backend.room import available_bytes
from pydeeplab.errors import counted
from pydeeplab.formats import LoadReport
from pydeeplab.layer import TRAIN
from pydeeplab.preflight.report import ERROR, NOTE, WARNING, Report
from pydeeplab.preflight.views import DataLayer, NetView, classifiers
from pydeeplab.segmentation.alignment import alignment_of

if TYPE_CHECKING:
    from typing import Any

    from pydeeplab.node import Node

__all__ = ["available_memory", "check_crop", "check_memory", "check_start"]

_FILLERS = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Embed": "embed_param",
    "InnerProduct": "inner_product_param",
    "LSTM": "recurrent_param",
    "RNN": "recurrent_param",
}
_SHOWN = 8


def check_crop(view: NetView, layer: DataLayer, report: Report) -> None:
    """Whether the size of the crops suits the net's strides, so that labels need no blending when they shrink."""
    transform = layer.param.transform_param
    square = int(transform.crop_size)
    sizes = {square} if square else {int(transform.crop_height), int(transform.crop_width)}
    fit = alignment_of(view.net)
    if sizes == {0} or fit.step == 1:
        return
    shrinking = [node.name for node in view.net.nodes if getattr(node.layer, "is_label", False)]
    for size in sorted(size for size in sizes if fit.fit(size) != size):
        nearest = min((fit.fit_below(size), fit.fit(size)), key=lambda good: abs(good - size))
        labels = f"; '{shrinking[0]}' takes the nearest labels (Caffe would blend them)" if shrinking else ""
        report.add(
            WARNING,
            "crop",
            f"{layer.label}: a crop of {size} does not suit this net, whose sizes are {fit}: its scores do not lie "
            f"exactly on the image{labels}",
            f"The nearest size that does is {nearest}.",
            net=view.role,
        )


def available_memory() -> int | None:
    """Bytes that a process can get without swapping, or else those of the machine, as far as the system tells."""
    available = available_bytes(swap=False)
    if available is not None:
        return available
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _mebibytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _columns(node: Node) -> int:
    """Bytes of the largest unfolded input of a convolution, an upper bound of its scratch memory."""
    if node.layer.type not in ("Convolution", "Deconvolution") or not node.layer.blobs:
        return 0
    weights = node.layer.blobs[0].shape
    if len(weights) != 4:
        return 0
    if node.layer.type == "Deconvolution":
        rows, (height, width) = weights[1] * weights[2] * weights[3], node.bottoms[0].shape[2:]
    else:
        rows, (height, width) = weights[1] * weights[2] * weights[3], node.tops[0].shape[2:]
    kernel = weights[2] * weights[3]
    return 4 * rows * height * width if kernel > 1 else 0


def check_memory(views: list[NetView], report: Report) -> None:
    """An estimate of what training needs, against what the machine has."""
    need = 0
    for view in views:
        summary = summarise(view.net)
        scratch = max((_columns(node) for node in view.net.nodes if len(node.tops[:1]) and node.bottoms), default=0)
        own = (summary.training_bytes if view.phase == TRAIN else summary.activation_bytes) + scratch
        report.facts[f"{view.role} memory bytes"] = own
        need += own
    report.facts["memory bytes"] = need
    have = available_memory()
    text = f"training needs about {_mebibytes(need)}: activations, weights, gradients, momentum, scratch"
    if have is not None and need > have:
        report.add(
            WARNING,
            "memory",
            f"{text}; {_mebibytes(have)} are available",
            "Use a smaller crop or batch_size (with a larger iter_size the steps stay as they are).",
        )
    else:
        report.add(NOTE, "memory", text + (f"; {_mebibytes(have)} are available" if have is not None else ""))


def _filler_is_zero(param: Any) -> bool:
    name = _FILLERS.get(param.type)
    if name is None:
        return False
    filler = getattr(param, name).weight_filler
    return filler.type == "constant" and filler.value == 0


def check_start(view: NetView, report: Report, loaded: LoadReport | None) -> None:
    """Layers that are neither loaded nor filled, and BatchNorms that keep statistics which nobody gave them.

    ``loaded`` is the report of loading the weights into the view's net, None where there are none.
    """
    fresh = set(loaded.missing) if loaded else {node.name for node in view.net.nodes if node.layer.blobs}
    written = {layer.name: layer for layer in view.source.param.layer}
    blank, frozen = [], []
    for index, (name, kind, _, _) in enumerate(view.net.layer_blobs()):
        if name not in fresh or view.net.shared_blob(index, 0):
            continue
        if _filler_is_zero(written[name]):
            blank.append(name)
        elif kind == "BatchNorm" and written[name].batch_norm_param.use_global_stats:
            frozen.append(name)
    known = "no loaded file holds it" if loaded else "no weights are given"
    if blank:
        last = {node.name for node in classifiers(view.net)}
        severity = WARNING if set(blank) <= last else ERROR
        report.add(
            severity,
            "weights",
            f"{counted(len(blank), 'layer')} would start at zero, since {known} and there is no weight_filler: "
            f"{_names(blank)}",
            "A layer of zeros passes on nothing and, where another follows, learns nothing. Give --weights that hold "
            'them, or a weight_filler such as { type: "msra" }.',
            net=view.role,
        )
    if frozen:
        report.add(
            ERROR,
            "weights",
            f"statistics of {counted(len(frozen), 'BatchNorm layer')} would stay unset (use_global_stats), since "
            f"{known}: {_names(frozen)}",
            "Give --weights that hold them, or leave use_global_stats out to learn them.",
            net=view.role,
        )
    if loaded is not None:
        zero = [n for n in loaded.left_zero if written[n].type not in _FILLERS or _filler_is_zero(written[n])]
        report.add(NOTE, "weights", str(replace(loaded, left_zero=zero)), net=view.role)
        if not loaded.loaded:
            report.add(
                ERROR,
                "weights",
                "no layer of the weight files has the name of one in the net: training would not start from them",
                "Give this net's weights (`pydeeplab convert FILE --list` shows what a file holds), or none.",
                net=view.role,
            )
        if loaded.nonfinite:
            report.add(ERROR, "weights", f"NaN or infinite weights in {_names(loaded.nonfinite)}", net=view.role)


def _names(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
