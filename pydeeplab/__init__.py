"""DeepLab v2 as its authors ran it, on Caffe's nets, solvers and weights, without Caffe.

The names are pycaffe's: most scripts run with ``import pydeeplab as caffe``. They are loaded when first used.
"""

from __future__ import annotations

import importlib
import warnings as _warnings
from typing import TYPE_CHECKING, Any

from pydeeplab._version import __version__

if TYPE_CHECKING:
    from pydeeplab import errors, io
    from pydeeplab.blob import Blob
    from pydeeplab.crf import CRFParameters, refine
    from pydeeplab.layer import TEST, TRAIN
    from pydeeplab.layer import known_layers as layer_type_list
    from pydeeplab.layers.python import PythonLayerBase as Layer
    from pydeeplab.net import Net
    from pydeeplab.randomness import set_random_seed
    from pydeeplab.segmentation import Segmentation, Segmenter, segment

__all__ = [
    "TEST",
    "TRAIN",
    "Blob",
    "CRFParameters",
    "Layer",
    "Net",
    "Segmentation",
    "Segmenter",
    "__version__",
    "errors",
    "io",
    "layer_type_list",
    "refine",
    "segment",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]

_HOMES = {
    "Blob": "blob",
    "CRFParameters": "crf",
    "Layer": "layers.python:PythonLayerBase",
    "Net": "net",
    "Segmentation": "segmentation",
    "Segmenter": "segmentation",
    "TEST": "layer",
    "TRAIN": "layer",
    "layer_type_list": "layer:known_layers",
    "refine": "crf",
    "segment": "segmentation",
    "set_random_seed": "randomness",
}


def __getattr__(name: str) -> Any:
    if name in ("errors", "io"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    home, _, original = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def set_mode_cpu() -> None:
    """Compute on the CPU, as always in this version."""


def set_mode_gpu() -> None:
    """Accepted for scripts' sake: warns that this version computes on the CPU."""
    _warnings.warn("pydeeplab has no GPU backend in this version; computing on the CPU", RuntimeWarning, stacklevel=2)


def set_device(device: int) -> None:
    """Accepted for scripts' sake; there is no GPU backend whose device could be chosen."""
