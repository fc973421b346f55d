"""Who does the work: each contestant is a class made in a process of its own.

``Contestant(task, folder, check)`` loads what it needs (``check``: the training net without dropout); ``run()`` does
the work once; ``results()`` gives what came out, as arrays by name, the same names for all contestants of a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["ALONE", "CONTESTANTS", "OURS", "Contestant", "load"]

OURS = "pydeeplab"
ALONE = "pydeeplab one thread"


@dataclass(frozen=True)
class Contestant:
    """Where a contestant's class is, what it takes part in, and the packages whose versions matter."""

    module: str
    name: str
    kinds: tuple[str, ...]
    packages: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()
    one_thread: bool = False


_NUMPY = ("numpy", "scipy")
CONTESTANTS = {
    OURS: Contestant("ours", "Ours", ("forward", "train", "crf"), _NUMPY),
    ALONE: Contestant("ours", "Ours", ("forward", "train", "crf"), _NUMPY, (("threads", 1),), one_thread=True),
    "pydeeplab keep=all": Contestant("ours", "Ours", ("forward",), _NUMPY, (("keep", "all"),)),
    "pydeeplab recompute": Contestant("ours", "Ours", ("train",), _NUMPY, (("keep", "recompute"),)),
    "pydeeplab CAFFE": Contestant("ours", "Ours", ("forward", "train"), _NUMPY, (("keep", "all"), ("engine", "CAFFE"))),
    "Caffe's way": Contestant("caffe", "CaffesWay", ("forward", "train"), _NUMPY),
    "onnxruntime": Contestant("runtimes", "OnnxRuntime", ("forward",), ("onnxruntime",)),
    "openvino": Contestant("runtimes", "OpenVino", ("forward",), ("openvino",)),
    "opencv": Contestant("runtimes", "OpenCv", ("forward",), ("opencv-python-headless",)),
    "torch": Contestant("pytorch", "Torch", ("forward", "train"), ("torch",)),
    "torch channels-last": Contestant("pytorch", "Torch", ("forward", "train"), ("torch",), (("channels_last", True),)),
    "torch compiled": Contestant("pytorch", "Torch", ("forward",), ("torch",), (("compiled", True),)),
    "pydensecrf": Contestant("densecrf", "PyDenseCrf", ("crf",), ("pydensecrf",), one_thread=True),
}


def load(name: str) -> type:
    """The class of a contestant; ImportError where its packages are not installed."""
    found = CONTESTANTS[name]
    cls: type = getattr(import_module(f"benchmarks.contestants.{found.module}"), found.name)
    return cls
