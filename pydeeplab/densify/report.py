"""What densifying did to each layer: windows, strides, fields of view and parameters, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydeeplab.analysis import LayerSummary, NetSummary
from pydeeplab.densify.plan import Source

__all__ = ["LayerReport", "Side", "compare_layers"]


@dataclass(frozen=True)
class Side:
    """A layer in one of the two nets.

    Attributes
    ----------
    window
        Height and width of its window, without holes; None for layers that have none.
    rate
        Of the window.
    stride
        Input pixels from one element of its top to the next; None where the top does not lie on the image.
    field
        Input pixels (height, width) that an element depends on; None: all.
    """

    window: tuple[int, int] | None
    rate: tuple[int, int] | None
    stride: tuple[float, float] | None
    field: tuple[int, int] | None


@dataclass(frozen=True)
class LayerReport:
    """One layer of the dense net, or one that has no place in it (``new`` is None).

    ``weights`` says where its parameters come from: "kept", "reshaped", "decimated", "new" or, for layers that have
    none, ""; ``origin`` is the layer of the classification net that they come from, ``shape`` that of its weights now.
    """

    name: str
    type: str
    old: Side | None
    new: Side | None
    weights: str = ""
    origin: str = ""
    shape: tuple[int, ...] = ()
    in_file: bool = False
    remark: str = ""


def _side(layer: LayerSummary | None, window: tuple[int, int] | None = None) -> Side | None:
    """One side; ``window`` is what a fully connected layer covers."""
    if layer is None:
        return None
    rate = (1, 1) if window else layer.rate
    return Side(window or layer.kernel, rate, layer.step, layer.receptive_field)


def compare_layers(
    old: NetSummary, new: NetSummary, sources: Mapping[str, Source], dropped: Mapping[str, str], copies: Sequence[str]
) -> list[LayerReport]:
    """One row for each layer that makes a blob or has parameters, in the order of the dense net.

    ``copies`` are what the names of layers hold that repeat others at another scale; these are left out.
    """
    before = {layer.name: layer for layer in old.layers}
    rows = []
    for layer in new.layers:
        source = sources.get(layer.name, Source(""))
        if layer.type in ("Split", "Input") or any(copy in layer.name for copy in copies):
            continue
        if layer.in_place and not source.how:
            continue
        origin = source.layer or layer.name
        rows.append(
            LayerReport(
                layer.name,
                layer.type,
                _side(before.get(origin), source.window),
                _side(layer),
                source.how,
                source.layer,
                source.shape,
                bool(len(source.arrays)),
            )
        )
    for name, why in dropped.items():
        if name in before:
            rows.append(LayerReport(name, before[name].type, _side(before[name]), None, remark=why))
    return rows
