"""Layers as messages, as the mappings that nets are written from, and with the parameters of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pydeeplab.networks.builder import TRUNK, Multipliers, NetBuilder
from pydeeplab.networks.text import Word

__all__ = ["add_layer", "for_kind", "shared_names"]

FIRST = ("name", "type", "bottom", "top")
CONV = ("Convolution", "Deconvolution")
FILLERS = ("weight_filler", "bias_filler", "filler")


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return _values(value)
    if field.enum_type is not None:
        return Word(field.enum_type.values_by_number[value].name)
    if field.cpp_type == field.CPPTYPE_FLOAT:
        return _shortest(value)
    return value


def _shortest(value: float) -> Word:
    """The shortest text that reads as this float32."""
    short = f"{value:g}"
    return Word(short if np.float32(short) == np.float32(value) else np.float32(value))


def _values(message: Any) -> dict[str, Any]:
    """The fields that are set, for `pydeeplab.networks.text`."""
    found = {}
    for field, value in message.ListFields():
        repeated = hasattr(value, "extend")
        found[field.name] = [_value(field, item) for item in value] if repeated else _value(field, value)
    return found


def add_layer(net: NetBuilder, layer: Any, channels: int) -> str:
    """Add a layer given as a message, whose first top has so many channels; returns that top."""
    values = {name: value for name, value in _values(layer).items() if name not in (*FIRST, "phase", "blobs")}
    for top in layer.top:
        net.blobs[top] = channels
    return net.layer(layer.name, layer.type, list(layer.bottom), list(layer.top), **values)


def shared_names(layer: str, count: int) -> list[str]:
    """Names under which copies of a layer share its parameters."""
    return [f"{layer}_{i}" for i in range(count)]


def for_kind(layer: Any, blobs: int, *, training: bool, shared: bool, normalised: bool) -> Any:
    """A copy of a layer with what a net of its kind says about parameters.

    Parameters
    ----------
    layer : LayerParameter
    blobs
        Number of parameters.
    training
        A net for training says multipliers and keeps fillers; other nets have a use for neither.
    shared
        The parameters get names, under which copies of the layer find them.
    normalised
        The net has BatchNorm layers: they and their Scale layers are frozen, as DeepLab's are, because batches of
        large crops are too small for statistics of their own.
    """
    copy = type(layer)()
    copy.CopyFrom(layer)
    copy.ClearField("include")
    copy.ClearField("exclude")
    del copy.param[:]
    names = [p.name for p in layer.param] + [""] * (blobs - len(layer.param))
    if shared:
        names = [name or new for name, new in zip(names, shared_names(layer.name, blobs), strict=False)]
    multipliers = _multipliers(layer, blobs, normalised) if training else ((1, 1),) * blobs
    if copy.type == "BatchNorm" and normalised:
        copy.batch_norm_param.use_global_stats = True
    if any(names) or any(m != (1, 1) for m in multipliers):
        for name, (rate, decay) in zip(names, multipliers, strict=False):
            _add_param(copy, name, rate, decay)
    if not training:
        _without_fillers(copy)
    return copy


def _multipliers(layer: Any, blobs: int, normalised: bool) -> Sequence[tuple[float, float]]:
    frozen: Multipliers = ((0, 1),) * blobs
    if layer.type == "BatchNorm" or (layer.type in ("Scale", "Bias") and normalised):
        return frozen
    given = [(p.lr_mult, p.decay_mult) for p in layer.param]
    default = list(TRUNK[:blobs]) if layer.type in CONV and blobs > 1 else [(1, 1)] * blobs
    return [*given, *default[len(given) :]][:blobs]


def _add_param(layer: Any, name: str, rate: float, decay: float) -> None:
    param = layer.param.add()
    if name:
        param.name = name
    if (rate, decay) == (0, 1):
        param.lr_mult = 0
    elif (rate, decay) != (1, 1) or not name:
        param.lr_mult, param.decay_mult = rate, decay


def _without_fillers(layer: Any) -> None:
    for field, value in layer.ListFields():
        if field.message_type is None or not field.name.endswith("_param"):
            continue
        for name in FILLERS:
            if name in value.DESCRIPTOR.fields_by_name:
                value.ClearField(name)
