"""Running an ONNX file with ONNX Runtime beside the net that it came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pydeeplab.errors import UnsupportedError
from pydeeplab.net import Net
from pydeeplab.seeding import seed_inputs

__all__ = ["OutputDifference", "check_onnx"]


@dataclass(frozen=True)
class OutputDifference:
    """How far one output is from ours: ``relative`` is the largest absolute error over our largest value."""

    name: str
    shape: tuple[int, ...]
    max_abs: float
    relative: float


def _session(path: str | os.PathLike[str]) -> Any:
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise UnsupportedError(
            "checking needs the package 'onnxruntime': pip install 'pydeeplab[onnx-check]'"
        ) from None
    return runtime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])


def check_onnx(
    path: str | os.PathLike[str], net: Net, *, seed: int = 0, inputs: Mapping[str, ArrayLike] | None = None
) -> list[OutputDifference]:
    """Run an ONNX file and the net on the same input, at the net's present size, and compare all outputs.

    Parameters
    ----------
    path : path
        Inputs and outputs named as in the net.
    net : Net
        Its inputs are overwritten.
    seed : int
        Determines random input (see `pydeeplab.seeding.seed_inputs`).
    inputs : mapping, optional
        Input to take instead, by name.

    Returns
    -------
    list of OutputDifference
        For each output of the net. A NaN on one side only, or another shape, counts as infinitely wrong.

    Raises
    ------
    UnsupportedError
        The package onnxruntime is not installed.
    """
    session = _session(path)
    seed_inputs(net, seed)
    for name, values in (inputs or {}).items():
        net.blobs[name].data[...] = values
    given = {name: net.blobs[name].data.copy() for name in net.inputs}
    ours = net.forward()
    theirs = session.run(list(ours), given)
    return [_compare(name, ours[name], array) for name, array in zip(ours, theirs, strict=True)]


def _compare(name: str, ours: Any, theirs: Any) -> OutputDifference:
    theirs = np.asarray(theirs)
    if ours.shape != theirs.shape or not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        return OutputDifference(name, ours.shape, float("inf"), float("inf"))
    finite = np.isfinite(ours)
    worst = float(np.abs(ours[finite].astype(np.float64) - theirs[finite]).max(initial=0))
    largest = float(np.abs(ours[finite]).max(initial=0))
    return OutputDifference(name, ours.shape, worst, worst / largest if largest else worst)
