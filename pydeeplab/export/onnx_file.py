"""Writing a graph as an ONNX file."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from pydeeplab._version import __version__
from pydeeplab.errors import UnsupportedError, UsageError
from pydeeplab.export.build import build_graph
from pydeeplab.export.graph import Graph, Value
from pydeeplab.files import write_bytes
from pydeeplab.net import Net

__all__ = ["export_onnx", "to_model"]

LARGEST = 2**31 - 2**20
"""Bytes that a protobuf message holds, less some room for all that is not parameters."""


def _onnx() -> Any:
    try:
        return import_module("onnx")
    except ImportError:
        raise UnsupportedError(
            "ONNX files are written with the package 'onnx': pip install 'pydeeplab[onnx]'"
        ) from None


def to_model(graph: Graph) -> Any:
    """The graph as an ``onnx.ModelProto``.

    Raises
    ------
    UnsupportedError
        The package onnx is not installed, or the parameters do not fit into one file (2 GiB).
    UsageError
        The installed onnx does not know the opset.
    """
    onnx = _onnx()
    newest = onnx.defs.onnx_opset_version()
    if graph.opset > newest:
        raise UsageError(f"the installed onnx knows operators up to opset {newest}, got {graph.opset}")
    if graph.nbytes > LARGEST:
        raise UnsupportedError(f"the parameters have {graph.nbytes} bytes; an ONNX file holds 2 GiB")
    helper = onnx.helper

    def declare(value: Value) -> Any:
        return helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, list(value.shape))

    body = helper.make_graph(
        [helper.make_node(o.type, o.inputs, o.outputs, name=o.name, **o.attributes) for o in graph.operations],
        graph.name,
        [declare(value) for value in graph.inputs],
        [declare(value) for value in graph.outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
    )
    operators = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(
        body,
        opset_imports=operators,
        ir_version=helper.find_min_ir_version_for(operators),
        producer_name="pydeeplab",
        producer_version=__version__,
    )


def export_onnx(net: Net, path: str | os.PathLike[str], *, opset: int = 17, dynamic: bool = False) -> Graph:
    """Write a net of phase TEST, with its weights, as an ONNX inference graph.

    Parameters
    ----------
    net : Net
        Built and loaded; its Input layers become inputs, its outputs outputs, under their names.
    path : path
        The file to write.
    opset : int
        Version of ONNX's operators, 13 or later.
    dynamic : bool
        Leave the batch, and where the net allows it height and width, open.

    Returns
    -------
    Graph
        What was written.

    Raises
    ------
    UnsupportedError
        A layer has no counterpart in ONNX, or the package onnx is not installed.
    UsageError
        The net is in phase TRAIN or has no Input layer; an unknown opset.
    """
    _onnx()
    graph = build_graph(net, opset=opset, dynamic=dynamic)
    write_bytes(path, to_model(graph).SerializeToString())
    return graph
