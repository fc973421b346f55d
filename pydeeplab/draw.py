"""Pictures of nets: pycaffe's ``draw``, with DOT text of our own.

`get_pydot_graph` gives a `Graph`, whose text any viewer of DOT files shows; pictures (svg, png, pdf, ...) are drawn by
Graphviz' program ``dot`` where it is installed. Layers are boxes, blobs rounded ones; layers that work in place
stand between a blob's maker and the blob.

Examples
--------
>>> from pydeeplab.proto import parse_net
>>> net = parse_net('layer { name: "x" type: "Input" top: "x" } layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')
>>> graph = get_pydot_graph(net.param, "LR")
>>> [edge.ends for edge in graph.get_edges()]
[('layer: x', 'blob: x'), ('blob: x', 'layer: r'), ('layer: r', 'blob: y')]
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydeeplab.dot import Edge, Graph, Node
from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.files import write_bytes
from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.filter import includes
from pydeeplab.proto.upgrade import upgrade_net

__all__ = [
    "BLOB_STYLE",
    "LAYER_STYLE_DEFAULT",
    "NEURON_LAYER_STYLE",
    "RANK_DIRECTIONS",
    "Edge",
    "Graph",
    "Node",
    "choose_color_by_layertype",
    "draw_net",
    "draw_net_to_file",
    "get_edge_label",
    "get_layer_label",
    "get_layer_lr_mult",
    "get_pooling_types_dict",
    "get_pydot_graph",
]

RANK_DIRECTIONS = ("LR", "TB", "BT", "RL")
"""Directions in which a net may be drawn: left to right, top to bottom, and back."""

LAYER_STYLE_DEFAULT = {"shape": "box", "style": "filled", "fillcolor": "#a9c4e6"}
"""Attributes of layers, but for those that work in place."""
NEURON_LAYER_STYLE = {"shape": "box", "style": "filled", "fillcolor": "#bfe3c0"}
"""Attributes of layers that work in place, such as ReLU."""
BLOB_STYLE = {"shape": "box", "style": "filled,rounded", "fillcolor": "#f0f0f0", "color": "#b0b0b0"}
"""Attributes of blobs."""

_FAMILIES = {
    "#f4b6a6": ("Convolution", "Deconvolution", "Im2col"),
    "#f7d488": ("Pooling", "Unpooling", "Upsample", "SPP", "Interp"),
    "#d5b3e6": ("InnerProduct", "Embed", "LSTM", "RNN", "Recurrent"),
    "#d9d9d9": ("Input", "Data", "DummyData", "HDF5Data", "ImageData", "ImageSegData", "MemoryData", "WindowData"),
    "#8fd3d0": ("DenseCRF", "DomainTransform", "MultiStageMeanfield"),
}
_COLOURS = {type_name: colour for colour, types in _FAMILIES.items() for type_name in types}
_LOSS_COLOUR = "#f08a8a"


def get_pooling_types_dict() -> dict[int, str]:
    """Return the names of the pooling methods by number: ``{0: "MAX", 1: "AVE", 2: "STOCHASTIC"}``."""
    return {number: name for name, number in caffe_pb2.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: Any) -> str:
    """Return what stands at the arrow from a layer to its top: the number of channels or items it makes."""
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type == "Input" and len(layer.input_param.shape):
        return "x".join(str(d) for d in layer.input_param.shape[0].dim)
    return ""


def get_layer_lr_mult(layer: Any) -> float:
    """Return the learning-rate multiplier of a layer's first parameter; 1 where none is given."""
    return float(layer.param[0].lr_mult) if len(layer.param) else 1.0


def _per_axis(values: Iterable[int], height: int, width: int, default: int) -> str:
    """``3``, or ``3x5`` for height and width, of a repeated field and its _h and _w twins."""
    sizes = [int(v) for v in values] or ([height, width] if height or width else [default])
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _window_lines(layer: Any) -> list[str]:
    """The window of a convolution or pooling layer: kernel always, the rest where it is not the default."""
    if layer.type == "Pooling":
        p = layer.pooling_param
        if p.global_pooling:
            return [f"{get_pooling_types_dict()[p.pool]} over all"]
        kernel = _per_axis([p.kernel_size] if p.kernel_size else [], p.kernel_h, p.kernel_w, 0)
        stride = _per_axis([], p.stride_h, p.stride_w, p.stride)
        pad = _per_axis([], p.pad_h, p.pad_w, p.pad)
        dilation, method = _per_axis(p.dilation, 0, 0, 1), f"{get_pooling_types_dict()[p.pool]}, "
    else:
        p = layer.convolution_param
        kernel = _per_axis(p.kernel_size, p.kernel_h, p.kernel_w, 0)
        stride = _per_axis(p.stride, p.stride_h, p.stride_w, 1)
        pad = _per_axis(p.pad, p.pad_h, p.pad_w, 0)
        dilation, method = _per_axis(p.dilation, 0, 0, 1), ""
    values = [("kernel", kernel, ""), ("stride", stride, "1"), ("pad", pad, "0"), ("dilation", dilation, "1")]
    return [method + ", ".join(f"{name} {value}" for name, value, default in values if value != default)]


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """Return the text of a layer's box: name, type, window, and with ``display_lrm`` its learning-rate multiplier.

    In nets drawn from top to bottom it is one line, in others several, so that boxes stay small along the net.
    """
    lines = [layer.name, f"({layer.type})"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        lines += _window_lines(layer)
    if display_lrm and layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
        lines.append(f"lr_mult {get_layer_lr_mult(layer):g}")
    return ("  " if rankdir in ("TB", "BT") else "\n").join(lines)


def choose_color_by_layertype(layertype: str) -> str:
    """Return the fill colour of a layer type, one for each family of layers."""
    if layertype.endswith("Loss"):
        return _LOSS_COLOUR
    return _COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def _layers(net: Any, phase: int | None) -> Sequence[Any]:
    """The layers of a NetParameter (or of a Net) that are there in a phase; all of them for None."""
    message = getattr(getattr(net, "source", net), "param", net)
    if len(message.layers) or len(message.input):
        old = type(message)()
        old.CopyFrom(message)
        message = upgrade_net(old).param
    if phase is None:
        return list(message.layer)
    state = caffe_pb2.NetState()
    state.CopyFrom(message.state)
    state.phase = phase
    return [layer for layer in message.layer if includes(layer, state, lambda: "")]


def get_pydot_graph(
    net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Graph:
    """Return the graph of a net.

    Parameters
    ----------
    net : NetParameter or Net
        In the current format or an older one.
    rankdir : {"LR", "TB", "BT", "RL"}
        Direction of the drawing.
    label_edges : bool
        Whether arrows say how many channels a layer makes.
    phase : int, optional
        Only the layers of `TRAIN` (0) or `TEST` (1); by default all.
    display_lrm : bool
        Whether boxes say the learning-rate multiplier of their weights.

    Raises
    ------
    UsageError
        Unknown direction.
    """
    if rankdir not in RANK_DIRECTIONS:
        known = ", ".join(RANK_DIRECTIONS)
        raise UsageError(f"rankdir must be one of {known}, got '{rankdir}'.{did_you_mean(rankdir, RANK_DIRECTIONS)}")
    drawing = _Drawing(Graph(getattr(net, "name", "") or "net", rankdir, ranksep="0.25", nodesep="0.2"))
    for layer in _layers(net, phase):
        drawing.add(layer, get_layer_label(layer, rankdir, display_lrm), get_edge_label(layer) if label_edges else "")
    return drawing.finish()


class _Drawing:
    """Adds layers to a graph in their order.

    A blob gets its node when a layer reads it (or at the end), so that layers that work in place stand in the line
    from the blob's maker to the blob.
    """

    def __init__(self, graph: Graph):
        self._graph = graph
        self._makers: dict[str, tuple[Node, str]] = {}
        self._blobs: dict[str, Node] = {}
        self._names: Counter[str] = Counter()

    def _node(self, name: str, **attributes: object) -> Node:
        self._names[name] += 1
        node = Node(name if self._names[name] == 1 else f"{name} #{self._names[name]}", **attributes)
        self._graph.add_node(node)
        return node

    def _blob(self, name: str) -> Node:
        if name not in self._blobs:
            self._blobs[name] = self._node(f"blob: {name}", label=name, **BLOB_STYLE)
            if name in self._makers:
                self._from_maker(name, self._blobs[name])
        return self._blobs[name]

    def _from_maker(self, name: str, head: Node) -> None:
        maker, label = self._makers[name]
        self._graph.add_edge(Edge(maker, head, weight="8", **({"label": label} if label else {})))

    def add(self, layer: Any, label: str, edge_label: str) -> None:
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        colour = choose_color_by_layertype(layer.type)
        style = NEURON_LAYER_STYLE if in_place else {**LAYER_STYLE_DEFAULT, "fillcolor": colour}
        box = self._node(f"layer: {layer.name}", label=label, **style)
        for name in layer.bottom:
            if in_place and name in self._makers and name not in self._blobs:
                self._from_maker(name, box)
            else:
                self._graph.add_edge(Edge(self._blob(name), box))
        for name in layer.top:
            self._makers[name] = box, edge_label
            self._blobs.pop(name, None)

    def finish(self) -> Graph:
        for name in self._makers:
            self._blob(name)
        return self._graph


def draw_net(net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False) -> bytes:
    """Return a picture of a net in the format ``ext`` (png, svg, pdf, dot, ...); see `get_pydot_graph`."""
    return get_pydot_graph(net, rankdir, phase=phase, display_lrm=display_lrm).create(format=ext)


def draw_net_to_file(
    net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draw a net to a file; its suffix chooses the format. See `get_pydot_graph`.

    Raises
    ------
    UnsupportedError
        Another format than .dot, and Graphviz is not installed.
    UsageError
        The file has no suffix, or one that Graphviz does not know.
    """
    ext = Path(filename).suffix.lstrip(".").lower()
    if not ext:
        raise UsageError(f"the suffix of a picture chooses its format, such as net.svg; '{filename}' has none")
    write_bytes(filename, draw_net(net, rankdir, ext, phase, display_lrm))
