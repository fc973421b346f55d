"""Weights and bias, as the parameters of most layers are declared."""

from __future__ import annotations

from typing import Any

from pydeeplab.filler import fill
from pydeeplab.layer import Layer

__all__ = ["add_weights"]


def add_weights(layer: Layer, param: Any, shape: tuple[int, ...], outputs: int) -> None:
    """Give a layer its blob of weights and, with ``bias_term``, one of biases, filled as ``param`` says."""
    layer.blobs.append(layer.new_blob(*shape))
    fill(layer.blobs[-1], param.weight_filler, layer.context.random)
    if param.bias_term:
        layer.blobs.append(layer.new_blob(outputs))
        fill(layer.blobs[-1], param.bias_filler, layer.context.random)
