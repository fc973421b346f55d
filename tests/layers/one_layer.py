"""Helpers for tests of single layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pydeeplab import TRAIN, Net


def net_text(kind: str, shapes: Sequence[Sequence[int]], params: str = "", tops: Sequence[str] = ("y",)) -> str:
    """A net of one layer L of type ``kind`` with inputs x0, x1, ... of the given shapes (and in place if top is x0)."""
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" '
        f"input_param {{ shape {{ {' '.join(f'dim: {d}' for d in shape)} }} }} }}\n"
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    outputs = " ".join(f'top: "{t}"' for t in tops)
    return f'force_backward: true\n{inputs}layer {{ name: "L" type: "{kind}" {bottoms} {outputs} {params} }}\n'


def one_layer(
    kind: str,
    shapes: Sequence[Sequence[int]],
    params: str = "",
    tops: Sequence[str] = ("y",),
    phase: int = TRAIN,
    backend: str = "cpu",
) -> Net:
    """The net of `net_text`."""
    return Net.from_text(net_text(kind, shapes, params, tops), phase, backend=backend)


def run(net: Net, inputs: Sequence[np.ndarray], top_diffs: Mapping[str, np.ndarray] | None = None) -> None:
    """Forward, and backward where gradients of the tops are given."""
    for i, values in enumerate(inputs):
        net.blobs[f"x{i}"].data[...] = values
    net.forward()
    if top_diffs is not None:
        for name, values in top_diffs.items():
            net.blobs[name].diff[...] = values
        net.clear_param_diffs()
        net.backward()


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal float32 values."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
