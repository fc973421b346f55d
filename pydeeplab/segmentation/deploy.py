"""Making a net for single pictures out of one that reads a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydeeplab.layer import TEST
from pydeeplab.proto import NetSource, caffe_pb2, read_net
from pydeeplab.resources import find_net

__all__ = ["DATA_LAYERS", "read_deploy", "without_labels"]

DATA_LAYERS = {
    "Data",
    "DenseImageData",
    "HDF5Data",
    "ImageData",
    "ImageSegData",
    "MemoryData",
    "WindowData",
}
"""Layers whose first top is the image and whose second is the label."""

_SINKS = {"HDF5Output", "MatWrite", "Silence"}
_DEFAULT_SIZE = 513


def _image_shape(layer: caffe_pb2.LayerParameter) -> list[int]:
    transform = layer.transform_param
    height = transform.crop_height or transform.crop_size or _DEFAULT_SIZE
    width = transform.crop_width or transform.crop_size or _DEFAULT_SIZE
    gray = layer.type in ("ImageData", "ImageSegData") and not layer.image_data_param.is_color
    return [1, 1 if gray else 3, height, width]


def _as_input(layer: caffe_pb2.LayerParameter, read: set[str]) -> caffe_pb2.LayerParameter:
    """An Input layer for the picture (and its size, if a layer reads it) in place of a data layer."""
    made = caffe_pb2.LayerParameter(name=layer.name, type="Input", top=[layer.top[0]])
    made.input_param.shape.add().dim.extend(_image_shape(layer))
    if layer.type == "ImageSegData" and len(layer.top) > 2 and layer.top[2] in read:
        made.top.append(layer.top[2])
        made.input_param.shape.add().dim.extend((1, 1, 1, 2))
    return made


def without_labels(source: NetSource) -> NetSource:
    """The part of a net (of one phase: see ``NetSource.filtered``) that leads from the picture to the scores.

    Data layers become Input layers without labels; layers that read labels (losses, accuracies) or only write files
    are dropped. A net without data layers is returned as it is.
    """
    if not any(layer.type in DATA_LAYERS for layer in source.param.layer):
        return source
    labels: set[str] = set()
    kept: list[tuple[int, caffe_pb2.LayerParameter]] = []
    for index, layer in enumerate(source.param.layer):
        if layer.type in DATA_LAYERS:
            labels.update(layer.top[1:2])
            kept.append((index, layer))
        elif layer.type in _SINKS:
            continue
        elif labels.intersection(layer.bottom):
            labels.update(layer.top)
        else:
            kept.append((index, layer))
    param = caffe_pb2.NetParameter(name=source.param.name)
    read = {name for _, layer in kept for name in layer.bottom}
    param.layer.extend(_as_input(layer, read) if layer.type in DATA_LAYERS else layer for _, layer in kept)
    return source.derived(param, [index for index, _ in kept])


def read_deploy(net: str | os.PathLike[str], defines: Mapping[str, str] | None = None) -> NetSource:
    """The layers of a prototxt, or of one of ours by name, that lead from the picture to the scores in phase TEST."""
    source = read_net(find_net(net), defines=defines)
    state = caffe_pb2.NetState()
    state.CopyFrom(source.param.state)
    state.phase = TEST
    return without_labels(source.filtered(state))
