"""Weights in Caffe's binary form, .caffemodel: a NetParameter of any dialect and age."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from pydeeplab.errors import WeightsError
from pydeeplab.formats.blobproto import encode_blob, parse_blob, read_file, write_message
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.weights import LayerWeights, PerLayer, WeightsFile, per_layer
from pydeeplab.proto import caffe_pb2, wire
from pydeeplab.proto.dialects import V1_TYPES, v1_type_name

__all__ = ["parse_caffemodel", "read_caffemodel", "write_caffemodel"]


class _Fields(NamedTuple):
    """Numbers of the fields of a layer message that weights need."""

    name: int
    type: int
    blobs: int


_NET_NAME, _NET_LAYERS, _NET_LAYER = 1, 2, 100
_CURRENT = _Fields(name=1, type=2, blobs=7)
_V1 = _Fields(name=4, type=5, blobs=6)
_V0 = _Fields(name=1, type=2, blobs=50)
_V1_LAYER = 1  # the V0 layer within a V1 layer
_V0_TYPES = {"conv": "Convolution", "innerproduct": "InnerProduct"}


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise wire.WireError("a number where a name should be")
    return bytes(value).decode(errors="replace")


def _type_name(value: int | memoryview) -> str:
    """The current name of a layer type; V1 files hold a number, V0 files words in lower case. Empty if unknown."""
    if isinstance(value, memoryview):
        name = _text(value)
        return _V0_TYPES.get(name, name)
    try:
        return V1_TYPES.get(v1_type_name(value), "")
    except ValueError:  # a number that no dialect uses
        return ""


def _layer(buffer: memoryview, numbers: _Fields, own: bool) -> LayerWeights:
    layer = LayerWeights("")
    for field, value in wire.fields(buffer):
        if field == numbers.name:
            layer.name = _text(value)
        elif field == numbers.type:
            layer.type = _type_name(value)
        elif field == numbers.blobs and isinstance(value, memoryview):
            try:
                layer.blobs.append(parse_blob(value, own=own))
            except wire.WireError as error:
                where = f"layer '{layer.name}', " if layer.name else ""
                raise wire.WireError(f"{where}blob {len(layer.blobs)}: {error}") from error
        elif numbers is _V1 and field == _V1_LAYER and isinstance(value, memoryview):
            return _layer(value, _V0, own)
    return layer


def parse_caffemodel(buffer: memoryview, path: str, *, own: bool = True) -> WeightsFile:
    """Decode a binary NetParameter; ``path`` names it in messages. See `read_caffemodel`."""
    weights = WeightsFile(path, "caffemodel")
    try:
        for field, value in wire.fields(buffer):
            if field in (_NET_LAYER, _NET_LAYERS) and isinstance(value, memoryview):
                weights.layers.append(_layer(value, _CURRENT if field == _NET_LAYER else _V1, own))
            elif field == _NET_NAME:
                if isinstance(value, int):
                    raise damaged(
                        path,
                        "is another protobuf file, such as a solver state, a mean or ONNX, not Caffe weights",
                        "Give the .caffemodel instead.",
                    )
                weights.net_name = _text(value)
    except wire.WireError as error:
        where = f"is damaged after layer '{weights.layers[-1].name}'" if weights.layers else "is damaged, or no weights"
        raise damaged(path, f"{where} ({len(buffer)} bytes): {error}") from error
    if not weights.layers:
        raise damaged(path, "holds no layers, so no Caffe weights", "Give the .caffemodel instead.")
    return weights


def read_caffemodel(path: str | os.PathLike[str], *, own: bool = True) -> WeightsFile:
    """Read a .caffemodel.

    Parameters
    ----------
    path : path
        A binary NetParameter: current (``layer``), V1 or V0 (``layers``), of any fork.
    own : bool
        Whether arrays own their memory. Otherwise they are views of the file's bytes, aligned to nothing, which stay in
        memory as long as one of them does: for copying them elsewhere at once.

    Returns
    -------
    WeightsFile
        All layers in the file's order.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or something else.
    """
    if identify(path) != "binary":
        raise damaged(path, "is no binary .caffemodel", "Use read_weights, which tells the formats apart.")
    return parse_caffemodel(read_file(path), os.fspath(path), own=own)


def write_caffemodel(
    path: str | os.PathLike[str],
    net: Any,
    blobs: PerLayer,
    diffs: PerLayer | None = None,
) -> None:
    """Write a .caffemodel that Caffe reads.

    Parameters
    ----------
    path : path
        Replaced as a whole, or left alone if writing fails.
    net : NetParameter
        In the current format; its layers are written with their parameters, in order. Blobs in it are ignored.
    blobs : mapping by layer name, or sequence parallel to ``net.layer``
        The arrays of each layer, float32 (``data``) or float64 (``double_data``). Shared ones are given to each layer.
    diffs : like blobs, optional
        Their gradients (``snapshot_diff``).

    Raises
    ------
    WeightsError
        More than 2 GiB, arrays that are not numbers, or blobs for another number of layers.
    """
    names = [layer.name for layer in net.layer]
    data = per_layer(names, blobs, path)
    none: PerLayer = [[None] * len(arrays) for arrays in data]
    gradients = per_layer(names, none if diffs is None else diffs, path)
    head = type(net)()
    head.CopyFrom(net)
    head.ClearField("layer")
    pieces: list[wire.Piece] = [head.SerializePartialToString()]
    for layer, arrays, layer_diffs in zip(net.layer, data, gradients, strict=True):
        bare = caffe_pb2.LayerParameter()
        bare.CopyFrom(layer)
        bare.ClearField("blobs")
        body: list[wire.Piece] = [bare.SerializePartialToString()]
        for i, (array, diff) in enumerate(zip(arrays, layer_diffs, strict=True)):
            if array is None:
                raise WeightsError(
                    f"cannot write {os.fspath(path)}: blob {i} of layer '{layer.name}' is not in the source, because "
                    "another layer shares it. Give the net too (convert --net), or write an .h5 or .npz."
                )
            body += wire.nested(_CURRENT.blobs, encode_blob(array, diff))
        pieces += wire.nested(_NET_LAYER, body)
    write_message(path, pieces, "a .caffemodel.h5 (snapshot_format: HDF5)")
