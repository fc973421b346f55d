"""Python: layers that the user writes, by module and class name."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from pydeeplab.blob import Blob, BlobVec
from pydeeplab.compat import offer_caffe
from pydeeplab.errors import did_you_mean
from pydeeplab.layer import Layer, LayerContext, register

__all__ = ["PythonLayerBase"]


class PythonLayerBase(Layer):
    """Base of layers written in Python, known to users as ``pydeeplab.Layer``.

    A subclass implements ``setup(bottom, top)``, ``reshape(bottom, top)``, ``forward(bottom, top)`` and
    ``backward(top, propagate_down, bottom)`` on blobs (``.data``, ``.diff``, ``.reshape(...)``), as in pycaffe.
    ``self.param_str`` holds ``python_param.param_str`` and ``self.phase`` the phase (0 TRAIN, 1 TEST) from the start;
    ``self.blobs.add_blob(*shape)`` in ``setup`` makes parameters.

    Exceptions raised by a layer keep their type; a note says which layer it was.

    Examples
    --------
    ::

        import pydeeplab

        class Double(pydeeplab.Layer):
            def reshape(self, bottom, top):
                top[0].reshape(*bottom[0].shape)

            def forward(self, bottom, top):
                top[0].data[...] = 2 * bottom[0].data

            def backward(self, top, propagate_down, bottom):
                bottom[0].diff[...] = 2 * top[0].diff
    """

    type = "Python"
    bottom_count = (0, None)
    top_count = (0, None)
    in_place = True
    reshapes_always = True
    blobs: BlobVec

    def __init__(self, layer_param: Any = None, *args: Any, **kwargs: Any):
        # Everything that pycaffe has ready before __init__ is made by `attach`, so that subclasses need not call this.
        del layer_param, args, kwargs

    def attach(self, param: Any, context: LayerContext) -> None:
        """Take the layer's place in a net; called before ``__init__``."""
        Layer.__init__(self, param, context)
        self.blobs = BlobVec(context.backend, context.dtype)
        self.param_str = str(param.python_param.param_str)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the configuration and make parameters."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes."""
        raise NotImplementedError(f"class {type(self).__name__} has no method reshape(self, bottom, top)")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Fill the tops."""
        raise NotImplementedError(f"class {type(self).__name__} has no method forward(self, bottom, top)")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Compute the gradients of the bottoms; by default there are none."""


def _place(param: Any, context: LayerContext) -> str:
    where = f"{context.where}: " if context.where else ""
    return f"{where}layer '{param.name}' (Python, {param.python_param.module}.{param.python_param.layer})"


def _import_module(name: str, folders: Sequence[str]) -> Any:
    """Import a module from sys.path, the working directory or ``folders``, in this order.

    What it knows as ``caffe`` is pydeeplab, unless a Caffe of its own is installed.
    """
    offer_caffe()
    saved = list(sys.path)
    sys.path += [folder for folder in (os.getcwd(), *folders) if folder not in sys.path]
    try:
        importlib.invalidate_caches()
        return importlib.import_module(name)
    finally:
        sys.path[:] = saved


def _find_class(factory: Layer, folders: Sequence[str]) -> type[PythonLayerBase]:
    """The class that python_param names."""
    param = factory.param.python_param
    if not param.module or not param.layer:
        raise factory.error("needs python_param { module: '...' layer: '...' }")
    try:
        module = _import_module(param.module, folders)
    except ModuleNotFoundError as error:
        if error.name not in (param.module, param.module.partition(".")[0]):
            raise
        raise factory.error(
            f"module '{param.module}' is neither in {os.getcwd()} nor on Python's path. Start in its folder, "
            "or set PYTHONPATH"
        ) from None
    found = getattr(module, param.layer, None)
    if found is None:
        known = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, PythonLayerBase)]
        raise factory.error(
            f"module '{param.module}' ({getattr(module, '__file__', 'built in')}) has no class '{param.layer}'."
            f"{did_you_mean(param.layer, known)} Its layers are: {', '.join(known) or 'none'}."
        )
    if not (isinstance(found, type) and issubclass(found, PythonLayerBase)):
        foreign = isinstance(found, type) and any(base.__module__.startswith("caffe") for base in found.__mro__)
        hint = (
            " It is derived from the Layer of another Caffe that is installed: call pydeeplab.install_as_caffe() "
            "first, or run the script with `python -m pydeeplab run`."
        )
        raise factory.error(
            f"'{param.module}.{param.layer}' must be a class derived from pydeeplab.Layer.{hint if foreign else ''}"
        )
    return found


@register
class Python(Layer):
    """Makes the user's layer: what is built (and what ``net.layers`` holds) is an object of the user's class."""

    type = "Python"

    def __new__(cls, param: Any, context: LayerContext) -> PythonLayerBase:  # type: ignore[misc]
        factory = super().__new__(cls)
        Layer.__init__(factory, param, context)
        try:
            user_class = _find_class(factory, context.search_path)
            layer = user_class.__new__(user_class)
            layer.attach(param, context)
            layer.__init__(param)  # type: ignore[misc]
        except Exception as error:
            error.add_note(f"while making {_place(param, context)}")
            raise
        return layer
