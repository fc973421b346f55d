"""DeepLab v2 as its authors ran it, on Caffe's nets, solvers and weights, without Caffe.

The names are pycaffe's: most scripts run with ``import pydeeplab as caffe``; `install_as_caffe` (or the command
``pydeeplab run script.py``) makes ``import caffe`` mean pydeeplab. They are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pydeeplab._version import __version__

if TYPE_CHECKING:
    from pydeeplab import classifier, coord_map, detector, draw, errors, io, layers, net_spec, params, proto
    from pydeeplab.blob import Blob, BlobVec
    from pydeeplab.classifier import Classifier
    from pydeeplab.compat import install_as_caffe
    from pydeeplab.crf import CRFParameters, refine
    from pydeeplab.detector import Detector
    from pydeeplab.layer import TEST, TRAIN
    from pydeeplab.layer import known_layers as layer_type_list
    from pydeeplab.layers.python import PythonLayerBase as Layer
    from pydeeplab.net import Net
    from pydeeplab.net_spec import NetSpec, to_proto
    from pydeeplab.process import (
        NCCL,
        has_nccl,
        init_log,
        log,
        set_device,
        set_mode_cpu,
        set_mode_gpu,
        set_multiprocess,
        set_solver_count,
        set_solver_rank,
        solver_count,
        solver_rank,
    )
    from pydeeplab.randomness import set_random_seed
    from pydeeplab.segmentation import Segmentation, Segmenter, segment
    from pydeeplab.solver import (
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        NesterovSolver,
        RMSPropSolver,
        SGDSolver,
        get_solver,
    )
    from pydeeplab.timer import Timer

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "CRFParameters",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Segmentation",
    "Segmenter",
    "Timer",
    "__version__",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "errors",
    "get_solver",
    "has_nccl",
    "init_log",
    "install_as_caffe",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "net_spec",
    "params",
    "proto",
    "refine",
    "segment",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]

_MODULES = ("classifier", "coord_map", "detector", "draw", "errors", "io", "layers", "net_spec", "params", "proto")
_HOMES = {
    "NCCL": "process",
    "TEST": "layer",
    "TRAIN": "layer",
    "AdaDeltaSolver": "solver",
    "AdaGradSolver": "solver",
    "AdamSolver": "solver",
    "Blob": "blob",
    "BlobVec": "blob",
    "CRFParameters": "crf",
    "Classifier": "classifier",
    "Detector": "detector",
    "Layer": "layers.python:PythonLayerBase",
    "NesterovSolver": "solver",
    "Net": "net",
    "NetSpec": "net_spec",
    "RMSPropSolver": "solver",
    "SGDSolver": "solver",
    "Segmentation": "segmentation",
    "Segmenter": "segmentation",
    "Timer": "timer",
    "get_solver": "solver",
    "has_nccl": "process",
    "init_log": "process",
    "install_as_caffe": "compat",
    "layer_type_list": "layer:known_layers",
    "log": "process",
    "refine": "crf",
    "segment": "segmentation",
    "set_device": "process",
    "set_mode_cpu": "process",
    "set_mode_gpu": "process",
    "set_multiprocess": "process",
    "set_random_seed": "randomness",
    "set_solver_count": "process",
    "set_solver_rank": "process",
    "solver_count": "process",
    "solver_rank": "process",
    "to_proto": "net_spec",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    home, _, original = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
