"""State dicts of PyTorch as weights of Caffe's layers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import WeightsError
from pydeeplab.formats.safetensors import read_safetensors
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.torch_archive import is_torch_archive, read_torch_archive
from pydeeplab.formats.torch_names import UNUSED, Place, caffe_places
from pydeeplab.formats.weights import LayerWeights, StoredBlob, WeightsFile, as_real

__all__ = ["read_state_dict", "read_torch_state"]

_PLAIN = re.compile(r"(?P<layer>.+)[./](?P<blob>weight|bias|\d)")
_BLOBS = {"weight": 0, "bias": 1}
_NEEDED = {"Convolution": (0,), "BatchNorm": (0, 1), "Scale": (0, 1), "": (0,)}
_WHAT = {
    ("BatchNorm", 0): "running_mean",
    ("BatchNorm", 1): "running_var",
    ("Scale", 1): "bias",
}


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors of a .pth (of ``torch.save``, any age) or .safetensors by key, told apart by content.

    Raises
    ------
    WeightsError
        The file is neither, damaged, or holds more than tensors.
    """
    kind = identify(path)
    if kind == "safetensors":
        return read_safetensors(path)
    if kind == "torch" or (kind == "zip" and is_torch_archive(path)):
        return read_torch_archive(path)
    raise damaged(path, "is no PyTorch file", "Use read_weights, which tells the formats apart.")


def read_torch_state(path: str | os.PathLike[str], layers: Iterable[str] | None = None) -> WeightsFile:
    """Read a state dict of a PyTorch port of DeepLab v2's ResNet-101 (see `pydeeplab.formats.torch_names`).

    If no key has a name of these ports, ``<layer>.weight`` and ``<layer>.bias`` (or ``<layer>/0`` and on) are blobs 0
    and 1 of the layer of that name.

    Parameters
    ----------
    path : path
        A .pth of ``torch.save`` or a .safetensors.
    layers : names, optional
        The net's layers: they say what its classifier is called. Otherwise fc1_voc12_c0 to c3, or fc1_voc12.

    Returns
    -------
    WeightsFile
        ``left_out`` names the keys that have no place.

    Raises
    ------
    WeightsError
        The file is damaged or holds more than tensors; no key, or only a part of a layer, has a place.
    """
    arrays = read_state_dict(path)
    known = None if layers is None else list(layers)
    places = caffe_places(list(arrays), known)
    if not any(places.values()):
        places = _plain_places(arrays, known)
    weights = WeightsFile(os.fspath(path), "torch")
    found: dict[str, LayerWeights] = {}
    for key, place in places.items():
        layer = found.setdefault(place.layer, LayerWeights(place.layer, place.type)) if place else None
        if place is None or layer is None or not _put(layer, place.blob, arrays[key], f"{weights.path}: '{key}'"):
            weights.left_out.append(key)
    if not found:
        shown = ", ".join(list(arrays)[:5])
        raise damaged(
            path,
            f"has no key of a known port of DeepLab v2 ({shown or 'it is empty'})",
            "Rename the keys to '<layer>.weight' and '<layer>.bias', with the net's layers.",
        )
    for layer in found.values():
        _complete(layer, weights.path)
    weights.layers = list(found.values())
    return weights


def _plain_places(keys: Iterable[str], layers: list[str] | None) -> dict[str, Place | None]:
    places: dict[str, Place | None] = {}
    for key in keys:
        match = _PLAIN.fullmatch(key)
        if match and (layers is None or match["layer"] in layers):
            blob = match["blob"]
            places[key] = Place(match["layer"], "", int(blob) if blob.isdecimal() else _BLOBS[blob])
        elif not key.endswith(UNUSED):
            places[key] = None
    return places


def _put(layer: LayerWeights, index: int, values: NDArray[Any], what: str) -> bool:
    """Store a blob; False where the layer has it already."""
    layer.blobs += [None] * (index + 1 - len(layer.blobs))
    if layer.blobs[index] is not None:
        return False
    layer.blobs[index] = StoredBlob(as_real(values, what))
    return True


def _complete(layer: LayerWeights, path: str) -> None:
    """Add BatchNorm's factor; refuse a layer of which a part is missing."""
    stored = dict(layer.stored())
    for index in _NEEDED[layer.type]:
        if index not in stored:
            what = _WHAT.get((layer.type, index), "weight")
            raise WeightsError(
                f"{path} holds a part of layer '{layer.name}' only: its {what} is missing. Save the whole state dict."
            )
    if layer.type == "BatchNorm":
        layer.blobs.append(StoredBlob(np.ones(1, np.float32)))
