"""The figures of a net, layer by layer and in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydeeplab.analysis.cost import (
    FLOAT_BYTES,
    Parameters,
    activation_peak,
    count_parameters,
    multiply_adds,
    new_activations,
)
from pydeeplab.analysis.receptive import field_of_view, receptive_fields
from pydeeplab.layer import TRAIN
from pydeeplab.placement import window_of

if TYPE_CHECKING:
    from pydeeplab.net import Net
    from pydeeplab.node import Node

__all__ = ["LayerSummary", "NetSummary", "summarise"]


@dataclass
class LayerSummary:
    """One layer.

    Attributes
    ----------
    shapes
        Of the tops.
    kernel, rate
        (height, width) of a sliding window and of its dilation, or None.
    step
        Input pixels from one element of the top to the next (height, width): the output stride. None: not on the image.
    receptive_field
        (height, width) in input pixels, or None: the whole image, or not on the image.
    field_of_view
        Of the filters of a layer fc... on the trunk's output, as the paper counts it; see
        `pydeeplab.analysis.field_of_view`.
    parameters
        That this layer is the first to use.
    multiply_adds
        Of one forward pass.
    activation_bytes
        Memory that this layer is the first to use for its tops.
    in_place
        Whether it works on its bottom, or hands it on.
    """

    name: str
    type: str
    tops: list[str]
    shapes: list[tuple[int, ...]]
    kernel: tuple[int, int] | None
    rate: tuple[int, int] | None
    step: tuple[float, float] | None
    receptive_field: tuple[int, int] | None
    field_of_view: int | None
    parameters: Parameters
    multiply_adds: int
    activation_bytes: int
    in_place: bool


@dataclass
class NetSummary:
    """A whole net; the totals are those of its layers, memory shared by layers counted once.

    ``peak_bytes`` is what activations need when memory is handed on after its last reader, at layer ``peak_layer``;
    ``training_bytes`` is for activations, parameters, their gradients and momentum, without scratch memory.
    """

    name: str
    phase: str
    layers: list[LayerSummary]
    parameters: Parameters
    multiply_adds: int
    activation_bytes: int
    peak_bytes: int
    peak_layer: str
    weight_bytes: int
    training_bytes: int
    notes: list[str] = field(default_factory=list)


def _layer(node: Node) -> LayerSummary:
    geometry = window_of(node)
    return LayerSummary(
        name=node.name,
        type=node.layer.param.type,
        tops=list(node.top_names),
        shapes=[top.shape for top in node.tops],
        kernel=geometry.kernel if geometry else None,
        rate=geometry.dilation if geometry else None,
        step=None,
        receptive_field=None,
        field_of_view=None,
        parameters=Parameters(),
        multiply_adds=multiply_adds(node),
        activation_bytes=0,
        in_place=bool(node.tops) and all(_hands_on(node, i) for i in range(len(node.tops))),
    )


def _hands_on(node: Node, top: int) -> bool:
    return any(node.tops[top].data_storage is bottom.data_storage for bottom in node.bottoms)


def _is_classifier(node: Node, maker: Sequence[Node]) -> bool:
    """A convolution fc... whose bottom does not come from another fc... layer: it sees the trunk's output."""
    is_fc = node.name.startswith("fc") and node.layer.type == "Convolution"
    return is_fc and not any(m.name.startswith("fc") for m in maker)


def summarise(net: Net, notes: Sequence[str] = ()) -> NetSummary:
    """Collect the figures of a net; nothing is computed, and no activations are allocated.

    Examples
    --------
    >>> from pydeeplab.analysis import read_without_files
    >>> from pydeeplab.net import Net
    >>> from pydeeplab.resources import find_net
    >>> summary = summarise(Net.from_source(read_without_files(find_net("voc12/vgg16_largefov"))))
    >>> summary.parameters.weights
    20505429
    >>> next(layer.field_of_view for layer in summary.layers if layer.name == "fc6")
    224
    """
    layers = []
    fields = receptive_fields(net)
    makers: dict[str, Node] = {}
    field_of: dict[str, int] = {}
    rows = zip(net.nodes, fields, count_parameters(net), new_activations(net), strict=True)
    for index, (node, receptive, parameters, activations) in enumerate(rows):
        layer = _layer(node)
        layer.parameters = parameters
        layer.activation_bytes = FLOAT_BYTES * activations
        if receptive is not None:
            layer.step, layer.receptive_field = receptive.step, receptive.size
        if node.bottom_names and _is_classifier(node, [makers[b] for b in node.bottom_names]):
            layer.field_of_view = field_of_view(node, fields[field_of[node.bottom_names[0]]])
        for name in node.top_names:
            field_of[name] = index
            if node.layer.type != "Split":
                makers.setdefault(name, node)
            else:
                makers[name] = makers[node.bottom_names[0]]
        layers.append(layer)
    parameters = sum((layer.parameters for layer in layers), Parameters())
    peak, where = activation_peak(net)
    activation_bytes = sum(layer.activation_bytes for layer in layers)
    return NetSummary(
        name=net.name,
        phase="TRAIN" if net.phase == TRAIN else "TEST",
        layers=layers,
        parameters=parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activation_bytes=activation_bytes,
        peak_bytes=FLOAT_BYTES * peak,
        peak_layer=where,
        weight_bytes=FLOAT_BYTES * parameters.total,
        training_bytes=2 * activation_bytes + FLOAT_BYTES * (3 * parameters.total),
        notes=list(notes),
    )
