"""From a net to a graph."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from pydeeplab.errors import UsageError
from pydeeplab.export.graph import Extent, Graph, Value
from pydeeplab.export.site import TRANSLATIONS, Site
from pydeeplab.export.variation import Variation, find_variation
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.node import Node

__all__ = ["OLDEST_OPSET", "build_graph", "exported_layers"]

OLDEST_OPSET = 13
AXES = ("batch", "channels", "height", "width")
DROPPED = ("Silence",)


@cache
def _load_translations() -> None:
    import pydeeplab.export.ops as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def exported_layers() -> list[str]:
    """The types of layers that can be exported, sorted."""
    _load_translations()
    return sorted({*TRANSLATIONS, *DROPPED, "Input"})


def build_graph(net: Net, *, opset: int = 17, dynamic: bool = False) -> Graph:
    """Translate a net of phase TEST with its present weights and shapes.

    Parameters
    ----------
    net : Net
        Its Input layers become inputs, its outputs outputs, all under their names.
    opset : int
        Version of ONNX's operators, 13 or later.
    dynamic : bool
        Leave the batch, and where the net allows it height and width, open.

    Raises
    ------
    UnsupportedError
        A layer has no counterpart; the message names it.
    UsageError
        The net is in phase TRAIN or has no Input layer.
    """
    _load_translations()
    if opset < OLDEST_OPSET:
        raise UsageError(f"opset must be at least {OLDEST_OPSET}, got {opset}")
    if net.phase != TEST:
        raise UsageError("nets are exported in phase TEST; this one is in phase TRAIN")
    if not net.inputs:
        raise UsageError("the net has no Input layer to export; use its deploy prototxt")
    variation = find_variation(net, dynamic)
    graph = Graph(net.name or "net", opset, {name for node in net.nodes for name in node.top_names})
    current: dict[str, str] = {}
    for node in net.nodes:
        if node.layer.type == "Input":
            for name, blob in zip(node.top_names, node.tops, strict=True):
                graph.add_input(Value(name, _extents(name, *variation.shapes(blob), shared=len(net.inputs) == 1)))
                current[name] = name
        elif node.layer.type not in DROPPED:
            values = _translate(graph, node, [current[name] for name in node.bottom_names], variation)
            current.update(zip(node.top_names, values, strict=True))
    _name_values(graph, current, net.outputs)
    for name in net.outputs:
        blob = next(b for n in net.nodes for t, b in zip(n.top_names, n.tops, strict=True) if t == name)
        graph.outputs.append(Value(name, _extents(name, *variation.shapes(blob), shared=False)))
    return graph


def _translate(graph: Graph, node: Node, bottoms: list[str], variation: Variation) -> list[str]:
    site = Site(graph, node, bottoms, variation)
    translation = TRANSLATIONS.get(node.layer.type)
    if translation is None:
        advice = "; use the deploy prototxt" if node.layer.is_loss or not bottoms else ""
        site.unsupported(f"ONNX has no counterpart of it here{advice}")
    made = translation(site)
    return [made] if isinstance(made, str) else made


def _extents(name: str, now: tuple[int, ...], other: tuple[int, ...], *, shared: bool) -> tuple[Extent, ...]:
    """The shape with names for the axes that vary; the batch has the same name everywhere."""
    names = AXES if len(now) == len(AXES) else ("batch", *(f"axis{i}" for i in range(1, len(now))))[: len(now)]
    return tuple(
        size if size == changed else (axis if shared or axis == "batch" else f"{name}_{axis}")
        for size, changed, axis in zip(now, other, names, strict=True)
    )


def _name_values(graph: Graph, current: dict[str, str], outputs: list[str]) -> None:
    """Give values the names of the blobs that they end up in; outputs first, by a copy where one name is not enough."""
    made = {value for operation in graph.operations for value in operation.outputs}
    names: dict[str, str] = {}
    copies: dict[str, str] = {}
    for blob in [*outputs, *current]:
        value = current[blob]
        if value in made and value not in names:
            names[value] = blob
        elif blob in outputs and names.get(value) != blob and value != blob:
            copies[blob] = value
    for blob, value in copies.items():
        names[graph.add("Identity", [value], blob, attributes={})[0]] = blob
    graph.rename(names)
