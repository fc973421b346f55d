"""Weights as NumPy's .npz, with keys ``layer/index``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from pydeeplab.errors import WeightsError
from pydeeplab.files import atomic_path
from pydeeplab.formats.npy import NpyError, Npz
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.weights import LayerWeights, PerLayer, StoredBlob, WeightsFile, as_real, per_layer

__all__ = ["read_npz", "write_npz"]

_WEIGHT = ("w", "weight", "weights", "kernel", "filter")
_BIAS = ("b", "bias", "biases")
_KEY_STYLES = [
    re.compile(r"(?P<layer>.+)/(?P<blob>\d{1,3})"),
    re.compile(rf"(?P<layer>.+)[/._:-](?P<blob>{'|'.join((*_WEIGHT, *_BIAS))})", re.IGNORECASE),
    re.compile(r"(?P<layer>.+)[._:-](?P<blob>\d{1,3})"),
]


def _index(blob: str) -> int:
    return int(blob) if blob.isdecimal() else int(blob.lower() in _BIAS)


def _keys(names: Sequence[str]) -> dict[str, tuple[str, int]] | None:
    """(layer, blob index) of each key, by the first style that fits all keys and leaves no gap; None if none does."""
    for style in _KEY_STYLES:
        matches = [style.fullmatch(name) for name in names]
        places = {n: (m["layer"], _index(m["blob"])) for n, m in zip(names, matches, strict=True) if m}
        distinct = set(places.values())
        if len(places) != len(names) or len(distinct) != len(names):
            continue
        exact = style is _KEY_STYLES[0]
        if exact or all(i == 0 or (layer, i - 1) in distinct for layer, i in distinct):
            return places
    return None


def read_npz(path: str | os.PathLike[str]) -> WeightsFile:
    """Read weights from an .npz.

    Keys are ``layer/0``, ``layer/1``, ...; also understood, if all keys have the same style, are ``layer/weights``,
    ``layer.bias``, ``layer_w`` and ``layer_0``, which scripts often write.

    Raises
    ------
    WeightsError
        The file is missing, damaged, no .npz, or its keys do not name layers.
    """
    name = os.fspath(path)
    if identify(path) != "zip":
        raise damaged(path, "is no .npz", "Use read_weights, which tells the formats apart.")
    try:
        with Npz(path) as archive:
            keys = list(archive)
            if "data.pkl" in {os.path.basename(key) for key in keys}:
                raise damaged(path, "is a PyTorch checkpoint", "Save its arrays with numpy.savez(**{'layer/0': ...}).")
            places = _keys(keys)
            if not keys or places is None:
                shown = ", ".join(keys[:5])
                raise damaged(
                    path,
                    f"has keys that do not name layers ({shown or 'none'})",
                    "Call the arrays 'layer/0' (weights), 'layer/1' (bias), and so on.",
                )
            layers: dict[str, LayerWeights] = {}
            for key, (layer, index) in places.items():
                blobs = layers.setdefault(layer, LayerWeights(layer)).blobs
                blobs += [None] * (index + 1 - len(blobs))
                blobs[index] = StoredBlob(as_real(archive[key], f"{name}: '{key}'"))
    except NpyError as error:
        raise damaged(path, f"is a damaged .npz ({error})") from error
    return WeightsFile(name, "npz", list(layers.values()))


def write_npz(path: str | os.PathLike[str], net: Any, blobs: PerLayer) -> None:
    """Write weights as an .npz (not compressed) with keys ``layer/index``.

    Parameters
    ----------
    path, net, blobs
        As for `pydeeplab.formats.write_caffemodel`; of ``net`` only the names of the layers are used.
    """
    names = [layer.name for layer in net.layer]
    arrays: dict[str, Any] = {}
    for name, values in zip(names, per_layer(names, blobs, path), strict=True):
        for i, array in enumerate(values):
            if f"{name}/{i}" in arrays:
                raise WeightsError(f"cannot write {os.fspath(path)}: two layers with parameters are called '{name}'")
            if array is not None:
                arrays[f"{name}/{i}"] = array
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
