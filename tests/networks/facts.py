"""Saying of a layer what the tables in tables/ say, and what two texts of one net can be compared by."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

from pydeeplab.proto import caffe_pb2, read_net

TABLES = Path(__file__).parent / "tables"
DEFINES = {
    "DATA_ROOT": "/data",
    "TRAIN_SET": "train_aug",
    "TEST_SET": "val",
    "FEATURE_DIR": "/features",
    "SEED": "1",
}
IN_PLACE = {"BatchNorm", "Dropout", "ReLU", "Scale"}


@cache
def layers(path: Path, phase: int = 1, **defines: str) -> list[Any]:
    """The layers of a net in a phase, current format."""
    state = caffe_pb2.NetState(phase=phase)
    return list(read_net(path, defines={**DEFINES, **defines}).filtered(state).param.layer)


def table(name: str) -> list[dict[str, str]]:
    """The rows of one of the tables."""
    with (TABLES / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def only(values: Any, default: int) -> int:
    """The value of a repeated field that counts for both axes."""
    found = set(values) or {default}
    assert len(found) == 1
    return int(found.pop())


def _convolution(layer: Any) -> str:
    p = layer.convolution_param
    text = f"{p.num_output} k{only(p.kernel_size, 0)} s{only(p.stride, 1)} p{only(p.pad, 0)} d{only(p.dilation, 1)}"
    if not p.bias_term:
        text += " nobias"
    if p.weight_filler.type == "gaussian":
        text += f" fill gaussian {p.weight_filler.std:g}"
    return text


def _interp(layer: Any) -> str:
    p = layer.interp_param
    parts = [f"{name} {getattr(p, name + '_factor')}" for name in ("shrink", "zoom") if p.HasField(f"{name}_factor")]
    return " ".join([*parts, *([f"pad {p.pad_beg},{p.pad_end}"] if p.pad_beg or p.pad_end else [])])


def geometry(layer: Any) -> str:
    """The column "geometry" of the tables."""
    if layer.type == "Convolution":
        return _convolution(layer)
    if layer.type == "Pooling":
        p = layer.pooling_param
        return f"{p.PoolMethod.Name(p.pool)} k{p.kernel_size} s{p.stride} p{p.pad}"
    if layer.type == "Eltwise":
        return layer.eltwise_param.EltwiseOp.Name(layer.eltwise_param.operation)
    if layer.type == "Interp":
        return _interp(layer)
    if layer.type == "Padding":
        return f"pad {layer.padding_param.pad_beg},{layer.padding_param.pad_end}"
    if layer.type == "SoftmaxWithLoss":
        labels = list(layer.loss_param.ignore_labels) or [layer.loss_param.ignore_label]
        return f"ignore {','.join(map(str, labels))}"
    if layer.type == "SegAccuracy":
        return f"ignore {','.join(map(str, layer.seg_accuracy_param.ignore_label))}"
    return ""


def multipliers(layer: Any, field: str) -> list[float]:
    """lr_mult or decay_mult of each parameter blob of a convolution, defaults included."""
    blobs = 1 + layer.convolution_param.bias_term
    given = [getattr(p, field) for p in layer.param]
    return given + [1.0] * (blobs - len(given))


def followers(all_layers: list[Any], index: int) -> list[str]:
    """Names of the in-place layers right behind a layer."""
    names = []
    for layer in all_layers[index + 1 :]:
        if layer.type not in IN_PLACE or list(layer.bottom) != [all_layers[index].top[0]]:
            break
        names.append(layer.name)
    return names


def facts(layer: Any) -> dict[str, Any]:
    """What makes two layers the same: wiring, geometry, shared names and multipliers, parameters of their type."""
    found: dict[str, Any] = {
        "type": layer.type,
        "bottoms": list(layer.bottom),
        "tops": list(layer.top),
        "geometry": geometry(layer),
    }
    if layer.type in ("BatchNorm", "Convolution", "Scale"):
        found["names"] = [p.name for p in layer.param if p.name]
    if layer.type == "Convolution":
        found |= {name: multipliers(layer, name) for name in ("lr_mult", "decay_mult")}
        filler = layer.convolution_param.weight_filler
        found["filler"] = filler.type if filler.type != "constant" or filler.value else ""
    elif layer.type in ("BatchNorm", "Scale"):
        found["lr_mult"] = {p.lr_mult for p in layer.param}
        found["options"] = (layer.batch_norm_param.use_global_stats, layer.scale_param.bias_term)
    elif layer.type == "Dropout":
        found["ratio"] = layer.dropout_param.dropout_ratio
    elif layer.type == "SegAccuracy":
        found["reset"] = layer.seg_accuracy_param.reset
    return found


def data_facts(layer: Any) -> dict[str, Any]:
    """The same for an ImageSegData layer."""
    t, p = layer.transform_param, layer.image_data_param
    return {
        "crop": (t.crop_size, t.crop_height, t.crop_width),
        "mean": [round(v, 3) for v in t.mean_value],
        "mirror": t.mirror,
        "scale_factors": list(t.scale_factors),
        "batch_size": p.batch_size,
        "shuffle": p.shuffle,
        "label_type": p.LabelType.Name(p.label_type),
    }
