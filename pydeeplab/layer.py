"""What every layer is: parameters, shapes, and which kernel runs on which blob."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, KernelTable
from pydeeplab.blob import Blob, BlobVec
from pydeeplab.errors import LayerError, ShapeError, UnsupportedError, did_you_mean
from pydeeplab.proto.dialects import fork_of_type

__all__ = ["TEST", "TRAIN", "Geometry", "Layer", "LayerContext", "Workspace", "known_layers", "layer_class", "register"]

TRAIN, TEST = 0, 1
"""Phases, with Caffe's numbers."""

LayerClass = TypeVar("LayerClass", bound="type[Layer]")


class Workspace:
    """Scratch memory shared by all layers of a net, as large as the largest request so far."""

    def __init__(self, backend: Backend, dtype: np.dtype[Any]):
        self._backend = backend
        self._dtype = dtype
        self._memory = backend.empty(0, dtype)

    def get(self, count: int) -> NDArray[Any]:
        """``count`` elements with undefined contents; the next call may hand out the same memory."""
        if self._memory.size < count:
            self._memory = self._backend.empty(0, self._dtype)
            self._memory = self._backend.empty(count, self._dtype)
        return self._memory[:count]

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """As `get`, for ``count`` bytes."""
        return self.get(-(-count // self._dtype.itemsize)).view(np.uint8)[:count]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._memory.nbytes)


@dataclass
class LayerContext:
    """What a net gives to each of its layers.

    ``engine`` is the net's convolution engine (CAFFE or DEFAULT), used where a layer's own parameter does not choose.
    """

    phase: int
    backend: Backend
    dtype: np.dtype[Any]
    engine: str
    workspace: Workspace
    random: np.random.Generator
    where: str = ""
    search_path: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Geometry:
    """How a sliding-window layer reads its bottom, per spatial axis (height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)


class Layer:
    """Base of all layers. A subclass says its type and arity, and implements `setup`, `reshape`, `forward`, `backward`.

    `setup` runs once, with the bottoms' shapes known: check parameters, create ``self.blobs``. `reshape` runs before
    the first forward and whenever a bottom's shape has changed: set the tops' shapes. `forward` overwrites the tops.
    `backward` overwrites the gradients of the bottoms for which ``propagate_down`` is true and **adds** to the
    gradients of the parameters ``i`` for which ``self.param_propagate_down[i]`` is true.
    """

    type: ClassVar[str] = ""
    bottom_count: ClassVar[tuple[int, int | None]] = (1, 1)
    """Least and most bottoms (None: any number)."""
    top_count: ClassVar[tuple[int, int | None]] = (1, 1)
    """Least and most tops."""
    equal_bottoms_and_tops: ClassVar[bool] = False
    in_place: ClassVar[bool] = False
    """Whether a top may be the same blob as the bottom at its index."""
    auto_tops: ClassVar[bool] = False
    """Whether missing tops are made anonymously (losses, data layers)."""
    reshapes_always: ClassVar[bool] = False
    """Whether the tops' shapes may change although the bottoms' have not."""
    unpropagated_bottoms: ClassVar[tuple[int, ...]] = ()
    """Bottoms that never get a gradient, such as labels."""
    label_bottoms: ClassVar[tuple[int, ...]] = ()
    """Bottoms that hold class numbers, which must not be blended when they are resized."""
    repeatable: ClassVar[bool] = False
    """Whether `forward` may run again before `backward`, with `repeating` set, to make the same tops again."""
    is_loss: ClassVar[bool] = False
    """Whether top 0 has loss weight 1 unless the prototxt says otherwise."""

    def __init__(self, param: Any, context: LayerContext):
        self.param = param
        self.context = context
        self.phase: int = context.phase
        self.blobs = BlobVec(context.backend, context.dtype)
        self.param_propagate_down: list[bool] = []
        self.loss_weights: list[float] = []
        self.need_backward = True
        """Whether `backward` may be called after `forward`; where not, nothing needs to be kept for it."""
        self.repeating = False
        """Whether this forward pass is done again: random numbers and statistics are to stay those of the first."""

    @property
    def name(self) -> str:
        """The layer's name in the prototxt."""
        return str(self.param.name)

    @property
    def kernels(self) -> KernelTable:
        """The kernels of the net's backend."""
        return self.context.backend.kernels

    def new_blob(self, *shape: int) -> Blob:
        """An empty blob on the net's backend, of the net's type."""
        return Blob(shape, backend=self.context.backend, dtype=self.context.dtype)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check parameters and create blobs; called once."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute the tops from the bottoms."""
        raise NotImplementedError

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Compute gradients from the tops' gradients."""
        if any(propagate_down) or any(self.param_propagate_down):
            raise self.error("has no gradient; do not ask for one here", UnsupportedError)

    def backward_reads(self) -> tuple[bool, bool]:
        """Whether `backward` reads the data of its bottoms, and of its tops; what it does not read may be gone."""
        return True, True

    def error(self, message: str, cls: Callable[[str], Exception] = LayerError) -> Exception:
        """An exception that says where and which layer this is: ``raise self.error("kernel_size must be > 0")``."""
        place = f"{self.context.where}: " if self.context.where else ""
        return cls(f"{place}layer '{self.name}' ({self.param.type or self.type}): {message}")

    def shape_error(self, message: str) -> Exception:
        """A `ShapeError` naming this layer."""
        return self.error(message, ShapeError)

    # What `pydeeplab summary` asks -----------------------------------------------------------------------------

    @property
    def geometry(self) -> Geometry | None:
        """The window of a sliding-window layer, or None for a layer that works pixel by pixel or globally."""
        return None

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Multiply-accumulate operations of one forward pass."""
        return 0


_REGISTRY: dict[str, type[Layer]] = {}


def register(cls: LayerClass) -> LayerClass:
    """Class decorator that makes a layer known under its ``type``."""
    if not cls.type:
        raise ValueError(f"{cls.__name__} has no type")
    if cls.type in _REGISTRY:
        raise ValueError(f"layer type {cls.type} is registered twice")
    _REGISTRY[cls.type] = cls
    return cls


@cache
def _load_all() -> None:
    import pydeeplab.layers as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def known_layers() -> list[str]:
    """The type strings of all layers, sorted."""
    _load_all()
    return sorted(_REGISTRY)


def layer_class(type_name: str) -> type[Layer]:
    """The class for a type string; KeyError with advice when there is none."""
    _load_all()
    try:
        return _REGISTRY[type_name]
    except KeyError:
        fork = fork_of_type(type_name)
        hint = f" It is a layer of {fork}'s Caffe that pydeeplab lacks." if fork else did_you_mean(type_name, _REGISTRY)
        raise KeyError(f"unknown layer type '{type_name}'.{hint}") from None
