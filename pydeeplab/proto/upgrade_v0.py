"""From Caffe's first format to the V1 format: `layers { layer { ... } }` becomes `layers { ... }`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2

__all__ = ["upgrade_v0"]

_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_CONV, _POOL, _IP = {"conv": "convolution_param"}, {"pool": "pooling_param"}, {"innerproduct": "inner_product_param"}
_LRN, _WINDOW, _IMAGES = {"lrn": "lrn_param"}, {"window_data": "window_data_param"}, {"images": "image_data_param"}
_DATA = {"data": "data_param"}
_LOADERS = _DATA | _IMAGES | _WINDOW | {"hdf5_data": "hdf5_data_param"}

_FIELDS: dict[str, tuple[dict[str, str], str]] = {
    "num_output": (_CONV | _IP, "num_output"),
    "biasterm": (_CONV | _IP, "bias_term"),
    "weight_filler": (_CONV | _IP, "weight_filler"),
    "bias_filler": (_CONV | _IP, "bias_filler"),
    "pad": (_CONV | _POOL, "pad"),
    "kernelsize": (_CONV | _POOL, "kernel_size"),
    "group": (_CONV, "group"),
    "stride": (_CONV | _POOL, "stride"),
    "pool": (_POOL, "pool"),
    "dropout_ratio": ({"dropout": "dropout_param"}, "dropout_ratio"),
    "local_size": (_LRN, "local_size"),
    "alpha": (_LRN, "alpha"),
    "beta": (_LRN, "beta"),
    "k": (_LRN, "k"),
    "source": (_LOADERS | {"infogain_loss": "infogain_loss_param"}, "source"),
    "batchsize": (_LOADERS, "batch_size"),
    "rand_skip": (_DATA | _IMAGES, "rand_skip"),
    "shuffle_images": (_IMAGES, "shuffle"),
    "new_height": (_IMAGES, "new_height"),
    "new_width": (_IMAGES, "new_width"),
    "concat_dim": ({"concat": "concat_param"}, "concat_dim"),
    "det_fg_threshold": (_WINDOW, "fg_threshold"),
    "det_bg_threshold": (_WINDOW, "bg_threshold"),
    "det_fg_fraction": (_WINDOW, "fg_fraction"),
    "det_context_pad": (_WINDOW, "context_pad"),
    "det_crop_mode": (_WINDOW, "crop_mode"),
}
"""Each field: the parameter message it moves to, by layer type, and its name there."""

_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}

Place = Callable[[int], str]


def upgrade_v0(net: Any, place: Place) -> tuple[Any, list[int], list[str]]:
    """Turn every V0 layer of a net into a V1 layer.

    Padding layers disappear into the convolution or pooling that follows; data settings move into the parameter message
    of the layer's type, and pre-processing into ``transform_param``.

    Parameters
    ----------
    net : NetParameter
        With ``layers`` of which some hold a V0 ``layer``. It is not changed.
    place : callable
        From the index of a layer to "file:line:column: " or "", for messages.

    Returns
    -------
    NetParameter
        The same net with V1 layers.
    list of int
        For each of its layers, the index of the layer in ``net`` that it comes from.
    list of str
        What could not be carried over, in words.

    Raises
    ------
    PrototxtError
        A padding layer is read by something else than a convolution or pooling with one bottom.
    """
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(net)
    del upgraded.layers[:]
    origins, notes = [], []
    pads = _padding_layers(net, place)
    for index, old in enumerate(net.layers):
        if old.layer.type == "padding":
            continue
        new = upgraded.layers.add()
        origins.append(index)
        if not old.HasField("layer"):
            new.CopyFrom(old)
            continue
        new.bottom.extend(old.bottom)
        new.top.extend(old.top)
        notes += [f"{place(index)}{note}" for note in _upgrade_layer(old.layer, new, place(index))]
        if index in pads:
            _fold(net.layers[pads[index]], new)
    return upgraded, origins, notes


def _padding_layers(net: Any, place: Place) -> dict[int, int]:
    """From the index of each layer that reads a padding layer's top to the index of that padding layer."""
    maker: dict[str, int] = {}
    pads: dict[int, int] = {}
    for index, layer in enumerate(net.layers):
        for bottom in layer.bottom:
            source = maker.get(bottom, -1)
            if source >= 0 and net.layers[source].layer.type == "padding":
                if layer.layer.type not in ("conv", "pool") or len(layer.bottom) != 1:
                    raise PrototxtError(
                        f"{place(index)}layer '{layer.layer.name}' ({layer.layer.type}) reads the padding layer "
                        f"'{net.layers[source].layer.name}': only a conv or pool layer with one bottom can do so."
                    )
                if len(net.layers[source].bottom) != 1 or len(net.layers[source].top) != 1:
                    raise PrototxtError(f"{place(source)}a padding layer has one bottom and one top.")
                pads[index] = source
        maker.update((top, index) for top in layer.top)
    return pads


def _fold(padding: Any, layer: Any) -> None:
    layer.bottom[0] = padding.bottom[0]
    if layer.type == caffe_pb2.V1LayerParameter.CONVOLUTION:
        layer.convolution_param.pad[:] = [padding.layer.pad]
    else:
        layer.pooling_param.pad = padding.layer.pad


def _upgrade_layer(old: Any, new: Any, place: str) -> list[str]:
    notes = []
    new.name = old.name
    if old.type in _TYPES:
        new.type = caffe_pb2.V1LayerParameter.LayerType.Value(_TYPES[old.type])
    else:
        new.type = caffe_pb2.V1LayerParameter.NONE
        notes.append(f"layer '{old.name}': Caffe's first format has no layer type '{old.type}'")
    for field, value in old.ListFields():
        if field.name in ("name", "type"):
            continue
        if field.name in ("blobs", "blobs_lr", "weight_decay"):
            getattr(new, field.name).extend(value)
        elif field.name in _TRANSFORM:
            setattr(new.transform_param, _TRANSFORM[field.name], value)
        elif field.name == "subtraction":
            _upgrade_subtraction(old, new, place)
        elif field.name == "hdf5_output_param" and old.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(value)
        elif old.type in _FIELDS.get(field.name, ({}, ""))[0]:
            homes, name = _FIELDS[field.name]
            _move(getattr(new, homes[old.type]), name, value)
        else:
            notes.append(f"layer '{old.name}': '{field.name}' means nothing to type '{old.type}' and is dropped")
    return notes


def _upgrade_subtraction(old: Any, new: Any, place: str) -> None:
    """The earliest nets subtract one number from all channels."""
    if old.HasField("scale") and old.scale != 1:
        raise PrototxtError(
            f"{place}layer '{old.name}': it is not known whether 'subtraction' came before or after 'scale'. "
            "Write transform_param { mean_value: ... scale: ... } in the current format; it subtracts first."
        )
    new.transform_param.mean_value.append(old.subtraction)


def _move(target: Any, name: str, value: Any) -> None:
    field = target.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None:
        getattr(target, name).CopyFrom(value)
    elif hasattr(getattr(target, name), "append"):
        getattr(target, name).append(value)
    else:
        setattr(target, name, value)
