"""pydeeplab under the name ``caffe``, for scripts and Python layers that say ``import caffe``.

`install_as_caffe` puts modules of that name, and of its submodules, where ``import`` looks first. ``python -m pydeeplab
run script.py`` does it before the script begins. A Caffe that is installed beside is neither needed nor touched.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pydeeplab
from pydeeplab.errors import UsageError

__all__ = ["install_as_caffe", "offer_caffe"]

_SUBMODULES = ("classifier", "coord_map", "detector", "draw", "io", "net_spec", "proto", "proto.caffe_pb2")
_VECTORS = ("BoolVec", "DtypeVec", "IntVec", "LayerVec", "NetVec", "RawBlobVec", "StringVec")


class _Facade(ModuleType):
    """A module with the names of `pydeeplab`, where ``layers`` and ``params`` are those of net_spec."""

    def __init__(self, name: str, doc: str):
        super().__init__(name, doc)
        package = name == "caffe"
        self.__spec__ = ModuleSpec(name, None, is_package=package)
        self.__file__ = pydeeplab.__file__
        self.__package__ = "caffe"
        if package:
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return list(pydeeplab.__all__)
        if name in ("layers", "params"):
            return getattr(importlib.import_module("pydeeplab.net_spec"), name)
        if name in _VECTORS:
            return list
        try:
            return getattr(pydeeplab, name)
        except AttributeError:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'") from None

    def __dir__(self) -> list[str]:
        return dir(pydeeplab)


def install_as_caffe() -> ModuleType:
    """Make ``import caffe``, ``from caffe import layers as L``, ``from caffe.proto import caffe_pb2`` mean pydeeplab.

    Returns the module ``caffe``. Calling it again changes nothing.

    Raises
    ------
    UsageError
        Another module named ``caffe`` has been imported already.

    Examples
    --------
    >>> import pydeeplab
    >>> _ = pydeeplab.install_as_caffe()
    >>> import caffe
    >>> from caffe import layers as L
    >>> caffe.Net is pydeeplab.Net
    True
    """
    present = sys.modules.get("caffe")
    if isinstance(present, _Facade):
        return present
    if present is not None:
        raise UsageError(
            f"a module 'caffe' is imported already, from {getattr(present, '__file__', None)}; "
            "call pydeeplab.install_as_caffe() before anything imports caffe"
        )
    caffe = _Facade("caffe", "pydeeplab under the name of pycaffe.")
    sys.modules["caffe"] = caffe
    for name in ("pycaffe", "_caffe"):
        facade = _Facade(f"caffe.{name}", caffe.__doc__ or "")
        sys.modules[facade.__name__] = facade
        setattr(caffe, name, facade)
    for name in _SUBMODULES:
        sys.modules[f"caffe.{name}"] = importlib.import_module(f"pydeeplab.{name}")
    return caffe


def offer_caffe() -> None:
    """Do as `install_as_caffe` if there is no ``caffe`` to import otherwise, so that Python layers find one."""
    if "caffe" not in sys.modules and importlib.util.find_spec("caffe") is None:
        install_as_caffe()
