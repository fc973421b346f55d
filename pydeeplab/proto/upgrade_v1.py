"""From the V1 format, `layers { type: ENUM }`, to the current one, `layer { type: "String" }`; DeepLab v1 included."""

from __future__ import annotations

from typing import Any

from pydeeplab.proto.dialects import DEEPLAB_V1, V1_TYPES, v1_type_name

__all__ = ["move_data_transforms", "upgrade_holes", "upgrade_v1_layer"]

_LOADERS = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")
_REPEATED = ("bottom", "top", "include", "exclude", "blobs", "loss_weight")


def move_data_transforms(layer: Any) -> bool:
    """Move a V1 layer's pre-processing from data parameters into ``transform_param``; tells whether there was any."""
    home = _LOADERS.get(v1_type_name(layer.type))
    if home is None or not layer.HasField(home):
        return False
    param = getattr(layer, home)
    moved = [name for name in _TRANSFORMS if param.HasField(name)]
    for name in moved:
        setattr(layer.transform_param, name, getattr(param, name))
        param.ClearField(name)
    return bool(moved)


def upgrade_v1_layer(old: Any, new: Any, dialect: str) -> None:
    """Write a V1 layer into an empty current layer.

    Parameters
    ----------
    old : V1LayerParameter
    new : LayerParameter
        Filled in place.
    dialect : str
        "DeepLab v1" gives ArgMax and EuclideanLoss that dialect's meaning.
    """
    new.name = old.name
    new.type = V1_TYPES[v1_type_name(old.type)]
    for field, value in old.ListFields():
        if field.name in _REPEATED:
            getattr(new, field.name).extend(value)
        elif field.name == "strict_dim":
            new.strict_dim = value
        elif field.name == "softmaxloss_param":
            _upgrade_softmax_loss(value, new.loss_param)
        elif field.message_type is not None and field.name in new.DESCRIPTOR.fields_by_name:
            getattr(new, field.name).CopyFrom(value)
    _upgrade_params(old, new)
    if dialect == DEEPLAB_V1:
        _upgrade_deeplab_meaning(new)


def _upgrade_params(old: Any, new: Any) -> None:
    """One ParamSpec per blob from four parallel lists of possibly different lengths."""
    columns = {
        "name": old.param,
        "share_mode": old.blob_share_mode,
        "lr_mult": old.blobs_lr,
        "decay_mult": old.weight_decay,
    }
    for _ in range(max(map(len, columns.values()))):
        new.param.add()
    for name, values in columns.items():
        for spec, value in zip(new.param, values, strict=False):
            setattr(spec, name, value)


def _upgrade_softmax_loss(old: Any, new: Any) -> None:
    if len(old.ignore_label) == 1:
        new.ignore_label = old.ignore_label[0]
    else:
        new.ignore_labels.extend(old.ignore_label)
    if old.HasField("weight_source"):
        new.weight_source = old.weight_source


def _upgrade_deeplab_meaning(layer: Any) -> None:
    if layer.type == "ArgMax":
        layer.argmax_param.axis = 1  # per pixel; Caffe's own flattens each item
    elif layer.type == "EuclideanLoss":
        layer.euclidean_loss_param.type = layer.euclidean_loss_param.type  # set: mean over elements, not over items


def upgrade_holes(param: Any) -> bool:
    """Turn ``hole``, ``hole_h``, ``hole_w`` of a ConvolutionParameter into ``dilation``; tells whether there was any.

    Raises
    ------
    ValueError
        Both ``hole`` and its per-axis forms are given, or ``dilation`` too.
    """
    per_axis = param.HasField("hole_h") or param.HasField("hole_w")
    if not (per_axis or param.HasField("hole")):
        return False
    if per_axis and param.HasField("hole"):
        raise ValueError("give either hole, or hole_h and hole_w")
    if param.dilation:
        raise ValueError("hole and dilation are the same thing: give one")
    param.dilation.extend([param.hole_h, param.hole_w] if per_axis else [param.hole])
    for name in ("hole", "hole_h", "hole_w"):
        param.ClearField(name)
    return True
