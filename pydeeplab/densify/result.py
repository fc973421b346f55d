"""A dense net as it comes out: prototxts, weights, and what became of each layer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydeeplab.analysis import summarise
from pydeeplab.densify.assemble import KINDS, write_net
from pydeeplab.densify.grid import Grid
from pydeeplab.densify.head import ASPP, LargeFOV, Plain
from pydeeplab.densify.plan import Plan, Source
from pydeeplab.densify.report import LayerReport, compare_layers
from pydeeplab.densify.windows import Windows
from pydeeplab.files import make_folder, write_text
from pydeeplab.formats import LayerWeights, StoredBlob, WeightsFile, save_weights
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.networks import solvers
from pydeeplab.networks.multi_scale import SCALES
from pydeeplab.proto import NetSource, parse_net

__all__ = ["WEIGHTS", "Densified", "result_of"]

WEIGHTS = "init.caffemodel"
"""File name of the weights."""


@dataclass
class Densified:
    """A dense net, not yet written.

    Attributes
    ----------
    name : str
        The classification net's.
    texts : dict
        ``train``, ``test``, ``deploy`` and ``solver``: the prototxts.
    weights : WeightsFile or None
        What training starts from; None without weights.
    layers : list of LayerReport
        What became of each layer.
    output_stride : int
    rate : (int, int)
        By which windows on the last map are stretched (height, width).
    size_step : int
        Images want sizes of ``size_step * k + 1``.
    scores : str
        The deploy net's blob of scores.
    exact : bool
        The trunk computes what the classification net computes, only more densely.
    grid : Grid
        Borders that lay the scores on the pixels.
    absent : list of str
        Layers that the weight file had nothing for.
    notes : list of str
        What is worth knowing.
    """

    name: str
    texts: dict[str, str]
    weights: WeightsFile | None
    layers: list[LayerReport]
    output_stride: int
    rate: tuple[int, int]
    size_step: int
    scores: str
    exact: bool
    grid: Grid
    absent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def deploy_source(self) -> NetSource:
        """The deploy net, read."""
        return parse_net(self.texts["deploy"], filename=f"{self.name} dense")

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write train, test, deploy and solver.prototxt, and init.caffemodel if there are weights.

        Each file is replaced as a whole; the folder is made where there is none.

        Raises
        ------
        OutputError, WeightsError
            A file cannot be written.
        """
        target = make_folder(folder)
        written = []
        for kind, text in self.texts.items():
            written.append(target / f"{kind}.prototxt")
            write_text(written[-1], text)
        if self.weights is not None:
            written.append(target / WEIGHTS)
            save_weights(written[-1], self.weights, self.deploy_source().param)
        return written


def result_of(plan: Plan, windows: Windows, weighted: bool) -> Densified:
    """Write the nets of a plan, and the weights if there are any."""
    subject = plan.subject
    settings, batch_size = (solvers.POLY_RESNET, 1) if subject.normalised else (solvers.POLY_VGG, 10)
    texts: dict[str, str] = {}
    sources: dict[str, Source] = {}
    for kind in KINDS:
        built, sources = write_net(plan, kind, batch_size=batch_size)
        texts[kind] = built.text(_heading(plan, kind, windows))
    texts["solver"] = solvers.solver_text(
        settings,
        train_net="train.prototxt",
        snapshot_prefix="train",
        heading=["Settings for training, after those of the paper.", f"Weights to start from: {WEIGHTS}."],
    )
    dense = Net.from_source(parse_net(texts["deploy"], filename=f"{subject.name} dense"), TEST)
    copies = [suffix for suffix in SCALES if suffix] if plan.multi_scale else []
    return Densified(
        name=subject.name,
        texts=texts,
        weights=_weights(sources, texts["deploy"], subject.name) if weighted else None,
        layers=compare_layers(summarise(subject.net), summarise(dense), sources, subject.dropped, copies),
        output_stride=plan.stride,
        rate=plan.rate,
        size_step=plan.step,
        scores=plan.scores,
        exact=windows == "exact",
        grid=plan.grid,
        absent=sorted(subject.absent) if weighted else [],
        notes=subject.notes + _notes(plan, windows),
    )


def _weights(sources: Mapping[str, Source], deploy: str, name: str) -> WeightsFile:
    types = {layer.name: layer.type for layer in parse_net(deploy).param.layer}
    layers = [
        LayerWeights(layer, types[layer], [StoredBlob(array) for array in source.arrays])
        for layer, source in sources.items()
        if len(source.arrays)
    ]
    return WeightsFile(WEIGHTS, "caffemodel", layers, net_name=f"{name} dense")


def _notes(plan: Plan, windows: Windows) -> list[str]:
    notes = []
    pools = [s.site for s in plan.steps if s.site.is_global_pooling]
    if pools:
        names = ", ".join(f"'{site.name}'" for site in pools)
        notes.append(f"{names} takes the mean of whole maps, which are denser now: what depends on it is not the same")
    changed = [s for s in plan.steps if s.site.param.type == "Pooling" and s.rate != (1, 1)]
    if windows == "deeplab" and changed:
        names = ", ".join(f"'{step.site.name}'" for step in changed)
        notes.append(f"poolings on stretched maps have no rate: {names} (exact windows would give them one)")
    return notes


def _heading(plan: Plan, kind: str, windows: Windows) -> list[str]:
    images = plan.images
    values = (
        f"{'BGR' if images.channels == 3 else 'grey'} values of 0..255 less {', '.join(f'{m:g}' for m in images.mean)}"
    )
    values += f", times {images.scale:g}" if images.scale != 1 else ""
    what = {
        "train": "The net for training. Use: --define DATA_ROOT=FOLDER (the lists' paths continue it), --define "
        f"TRAIN_SET={plan.dataset.stage_1}, weights: {WEIGHTS}.",
        "test": "The net for testing on a list of images. Use: --define DATA_ROOT=FOLDER, --define TEST_SET=val.",
        "deploy": f"The net for images of one's own: blob data holds {values}, {plan.step}k+1 high and wide; blob "
        f"{plan.scores} gets the scores.",
    }
    head = {Plain: "its classifier", LargeFOV: "LargeFOV", ASPP: "ASPP"}[type(plan.head)]
    return [
        f"{plan.subject.name or 'A classification net'} made dense for {plan.dataset.title} "
        f"({plan.dataset.classes} classes): output stride {plan.stride}, {head}, {windows} windows.",
        what[kind],
        'After Chen et al., "DeepLab", arXiv:1606.00915, section 3.1. Written by `pydeeplab densify`.',
    ]
