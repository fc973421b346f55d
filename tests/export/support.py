"""Exporting small nets and running them with ONNX Runtime."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.export import check_onnx, export_onnx
from pydeeplab.layer import TEST
from pydeeplab.net import Net


def need_onnx() -> None:
    """Skip the test unless both packages are installed."""
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"the optional package {package} is not installed")


def input_layer(*shape: int, name: str = "data") -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def layer(type_: str, text: str = "", *, bottom: str = "data", top: str = "y", name: str = "l") -> str:
    """One layer; ``bottom`` and ``top`` may hold several names."""
    ends = " ".join([f'bottom: "{b}"' for b in bottom.split()] + [f'top: "{t}"' for t in top.split()])
    return f'layer {{ name: "{name}" type: "{type_}" {ends} {text} }}\n'


def random_net(text: str, seed: int = 0) -> Net:
    """A net whose parameters are all random: variances positive, the factor of BatchNorm not 1."""
    net = Net.from_text(text, TEST)
    random = np.random.default_rng(seed)
    for node in net.nodes:
        for i, blob in enumerate(node.layer.blobs):
            values = random.standard_normal(blob.shape)
            is_variance = (node.layer.type, i) in {("BatchNorm", 1), ("BN", 3)}
            blob.data[...] = 0.5 + np.abs(values) if is_variance else 2.5 if blob.shape == (1,) else values
    return net


def worst_error(net: Net, folder: Path, *, larger: bool = False, opset: int = 17, positive: bool = False) -> float:
    """Export, run on random input, compare; with ``larger`` at another size too, from one file."""
    file = folder / "net.onnx"
    export_onnx(net, file, opset=opset, dynamic=larger)
    importlib.import_module("onnx").checker.check_model(str(file), full_check=True)
    worst = _run(net, file, 1, positive)
    if larger:
        for name in net.inputs:
            items, *rest = net.blobs[name].shape
            rest = [rest[0], rest[1] + 5, rest[2] + 10] if len(rest) == 3 else rest
            net.blobs[name].reshape(items + 1, *rest)
        net.reshape()
        worst = max(worst, _run(net, file, 2, positive))
    return worst


def _run(net: Net, file: Path, seed: int, positive: bool) -> float:
    random = np.random.default_rng(seed)
    values = {name: random.standard_normal(net.blobs[name].shape).astype(np.float32) for name in net.inputs}
    if positive:
        values = {name: np.abs(array) + 0.1 for name, array in values.items()}
    errors = check_onnx(file, net, inputs=values)
    assert errors
    return max(error.relative for error in errors)
