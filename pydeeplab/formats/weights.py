"""Weights in memory: the neutral form between the file formats and a net."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import WeightsError

__all__ = ["LayerWeights", "PerLayer", "StoredBlob", "WeightsFile", "as_real", "describe_shape", "per_layer"]

Array = NDArray[Any]


def as_real(array: Any, what: str) -> Array:
    """``array`` as C-contiguous float32, or float64 if that is its type; `WeightsError` about ``what`` otherwise."""
    given = np.asarray(array)
    if given.dtype.kind not in "fiub":
        raise WeightsError(f"{what} holds values of type {given.dtype}; expected numbers (float32 or float64)")
    return np.asarray(given, np.float64 if given.dtype == np.float64 else np.float32, order="C")


def describe_shape(shape: Sequence[int]) -> str:
    """A shape for messages: ``64x3x3x3``, or ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"


@dataclass
class StoredBlob:
    """One parameter array as a file holds it.

    Attributes
    ----------
    data : ndarray
        float32 or float64.
    diff : ndarray or None
        The gradient, of the same shape, where the file has it (``snapshot_diff``).
    legacy : bool
        The shape came as num, channels, height and width: always four axes, padded on the left with ones.
    """

    data: Array
    diff: Array | None = None
    legacy: bool = False

    def __repr__(self) -> str:
        return f"<StoredBlob {describe_shape(self.shape)} {self.data.dtype}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """The dimensions as stored."""
        return self.data.shape

    def modern_shape(self, layer_type: str, index: int) -> tuple[int, ...]:
        """The shape without the padding of the legacy form.

        Layers of that time with parameters were convolutions, whose weights do have four axes, and inner products,
        whose weights have two; biases have one.

        Examples
        --------
        >>> StoredBlob(np.zeros((1, 1, 1, 32)), legacy=True).modern_shape("Convolution", 1)
        (32,)
        """
        shape = self.shape
        weights = index == 0
        if not self.legacy or shape[:2] != (1, 1) or (weights and layer_type in ("Convolution", "Deconvolution")):
            return shape
        if weights and layer_type == "InnerProduct":
            return shape[2:]
        return shape[3:] if shape[2] == 1 else shape[2:]

    def modern(self, layer_type: str, index: int) -> StoredBlob:
        """The same values under `modern_shape`."""
        shape = self.modern_shape(layer_type, index)
        return StoredBlob(self.data.reshape(shape), None if self.diff is None else self.diff.reshape(shape))


@dataclass
class LayerWeights:
    """The parameters of one layer.

    Attributes
    ----------
    name, type : str
        As in the net; ``type`` is the current name ("Convolution") and empty where the format does not tell.
    blobs : list of (StoredBlob or None)
        By index; None where the file leaves a blob out because it is shared (HDF5).
    """

    name: str
    type: str = ""
    blobs: list[StoredBlob | None] = field(default_factory=list)

    def stored(self) -> Iterator[tuple[int, StoredBlob]]:
        """Index and blob of all that are present."""
        return ((i, blob) for i, blob in enumerate(self.blobs) if blob is not None)


@dataclass
class WeightsFile:
    """What a weight file holds: ``layers`` in its order, also those without parameters.

    ``format`` is "caffemodel", "hdf5", "npz" or "torch"; ``path`` names the file in messages; ``left_out`` names what a
    foreign file holds beside.
    """

    path: str
    format: str
    layers: list[LayerWeights] = field(default_factory=list)
    net_name: str = ""
    left_out: list[str] = field(default_factory=list)

    def with_blobs(self) -> list[LayerWeights]:
        """The layers that have parameters."""
        return [layer for layer in self.layers if any(True for _ in layer.stored())]

    def named(self) -> list[tuple[str, Array]]:
        """All parameters in their current shapes as ``("layer/index", array)``; a name may occur twice."""
        return [
            (f"{layer.name}/{i}", blob.modern(layer.type, i).data)
            for layer in self.layers
            for i, blob in layer.stored()
        ]

    def arrays(self) -> dict[str, Array]:
        """All parameters in their current shapes, by ``"layer/index"``; of layers with equal names the last."""
        return dict(self.named())

    @property
    def count(self) -> int:
        """The number of parameters, all blobs together."""
        return sum(blob.data.size for layer in self.layers for _, blob in layer.stored())


PerLayer = Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]]
"""Arrays of each layer: by layer name, or a sequence parallel to the layers. None stands for a blob left out."""


def per_layer(names: Sequence[str], blobs: PerLayer, path: str | os.PathLike[str]) -> list[list[Array | None]]:
    """The arrays of each of these layers, checked and real; ``path`` names the file in messages."""
    if isinstance(blobs, Mapping):
        unknown = sorted(set(blobs) - set(names))
        if unknown:
            raise WeightsError(f"cannot write {os.fspath(path)}: no layer is called '{unknown[0]}'")
        blobs = [blobs.get(name, ()) for name in names]
    if len(blobs) != len(names):
        raise WeightsError(f"cannot write {os.fspath(path)}: {len(names)} layers but blobs for {len(blobs)}")
    return [
        [None if array is None else as_real(array, f"blob {i} of layer '{name}'") for i, array in enumerate(arrays)]
        for name, arrays in zip(names, blobs, strict=True)
    ]
