"""Reading weights of any format, and writing them by suffix."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from pydeeplab.blob import Blob
from pydeeplab.errors import UsageError, WeightsError
from pydeeplab.formats.caffemodel import read_caffemodel, write_caffemodel
from pydeeplab.formats.hdf5 import read_hdf5, write_hdf5
from pydeeplab.formats.npz import read_npz, write_npz
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.torch_archive import is_torch_archive
from pydeeplab.formats.torch_state import read_torch_state
from pydeeplab.formats.weights import StoredBlob, WeightsFile
from pydeeplab.proto import caffe_pb2

__all__ = ["FORMATS", "WeightsSource", "complete_shared", "format_of", "read_weights", "save_weights", "write_weights"]

FORMATS = ("caffemodel", "hdf5", "npz")
"""Names of the weight formats."""

_SUFFIXES = {".h5": "hdf5", ".hdf5": "hdf5", ".npz": "npz"}

_READERS: dict[str, Callable[[str | os.PathLike[str]], WeightsFile]] = {
    "hdf5": read_hdf5,
    "zip": read_npz,
}
_TORCH = ("torch", "safetensors")


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file name asks for by its suffix; other suffixes than .h5, .hdf5 and .npz mean "caffemodel".

    Examples
    --------
    >>> format_of("train_iter_20000.caffemodel.h5")
    'hdf5'
    """
    return _SUFFIXES.get(Path(path).suffix.lower(), "caffemodel")


def read_weights(path: str | os.PathLike[str], layers: Iterable[str] | None = None, *, own: bool = True) -> WeightsFile:
    """Read weights: .caffemodel of any age, .caffemodel.h5, .npz, or PyTorch's .pth and .safetensors, by content.

    Parameters
    ----------
    path : path
        The file.
    layers : names, optional
        The layers of the net that they are for; a PyTorch port's classifier takes its name from there.
    own : bool
        Whether arrays own their memory; see `read_caffemodel`.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or something else; the message says what it looks like.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/w.npz", **{"conv1/0": np.ones((2, 3), np.float32)})
    ...     read_weights(f"{folder}/w.npz").layers
    [LayerWeights(name='conv1', type='', blobs=[<StoredBlob 2x3 float32>])]
    """
    kind = identify(path)
    if kind in _TORCH or (kind == "zip" and is_torch_archive(path)):
        return read_torch_state(path, layers)
    if kind == "binary":
        return read_caffemodel(path, own=own)
    if kind not in _READERS:
        raise damaged(path, "is a .npy (one array)", "Save all arrays with numpy.savez(**{'layer/0': ...}).")
    return _READERS[kind](path)


class WeightsSource(Protocol):
    """What weights can be written from: a `Net`. Its layers are those of ``source.param``, in order."""

    source: Any

    def layer_blobs(self) -> list[tuple[str, str, list[Blob], bool]]:
        """(name, type, parameter blobs, whether shapes are strict) of every layer, in order."""

    def shared_blob(self, layer_index: int, blob_index: int) -> bool:
        """Whether a parameter blob belongs to an earlier layer."""


def _write(path: str | os.PathLike[str], chosen: str, net: Any, blobs: Any, diffs: Any, shared: Any) -> None:
    if chosen not in FORMATS:
        raise UsageError(f"unknown weight format '{chosen}'; known are {', '.join(FORMATS)}")
    folder = Path(path).parent
    if not folder.is_dir():
        raise WeightsError(f"cannot write {os.fspath(path)}: there is no folder {folder}. Create it first.")
    if chosen == "caffemodel":
        write_caffemodel(path, net, blobs, diffs)
    elif chosen == "hdf5":
        write_hdf5(path, net, blobs, diffs, shared=shared)
    else:
        write_npz(path, net, blobs)


def write_weights(
    path: str | os.PathLike[str], net: WeightsSource, *, format: str | None = None, diffs: bool = False
) -> None:
    """Write the parameters of a net.

    Parameters
    ----------
    path : path
        Its suffix chooses the format (see `format_of`). It is replaced as a whole, or left alone if writing fails.
    net : Net
        Whose parameters are written.
    format : {"caffemodel", "hdf5", "npz"}, optional
        Overrides the suffix.
    diffs : bool
        Also write gradients (Caffe's ``snapshot_diff``); an .npz has none.

    Raises
    ------
    WeightsError
        A .caffemodel would have more than 2 GiB, or a layer's name cannot be kept in the format.
    UsageError
        Unknown format.
    """
    layers = net.layer_blobs()
    chosen = format or format_of(path)
    shared = set()
    if chosen == "hdf5":
        shared = {(i, j) for i, one in enumerate(layers) for j in range(len(one[2])) if net.shared_blob(i, j)}
    data = [[blob.look() for blob in blobs] for _, _, blobs, _ in layers]
    gradients = [[blob.look_diff() for blob in blobs] for _, _, blobs, _ in layers] if diffs else None
    _write(path, chosen, net.source.param, data, gradients, shared)


def complete_shared(weights: WeightsFile, net: Any) -> None:
    """Fill in the blobs that an HDF5 file leaves out because they are shared, by the names of ``param`` in a net.

    Parameters
    ----------
    weights : WeightsFile
        Changed in place.
    net : NetParameter
        Current format.
    """
    stored = {layer.name: layer for layer in weights.layers}
    owners: dict[str, StoredBlob] = {}
    for layer in net.layer:
        if layer.name not in stored:
            continue
        blobs = stored[layer.name].blobs
        for i, param in enumerate(layer.param):
            have = blobs[i] if i < len(blobs) else None
            if have is not None:
                owners.setdefault(param.name, have)
            elif param.name and param.name in owners:
                blobs += [None] * (i + 1 - len(blobs))
                blobs[i] = owners[param.name]


def _occurrences(layers: Iterable[Any]) -> list[tuple[str, int]]:
    """(name, how many of that name came before) of each layer."""
    seen: Counter[str] = Counter()
    keys = []
    for layer in layers:
        keys.append((layer.name, seen[layer.name]))
        seen[layer.name] += 1
    return keys


def save_weights(
    path: str | os.PathLike[str], weights: WeightsFile, net: Any = None, *, format: str | None = None
) -> None:
    """Write what has been read, in any format; the padded shapes of old files become current ones.

    Parameters
    ----------
    path : path
        Its suffix chooses the format.
    weights : WeightsFile
        From `read_weights`, or made by hand. With ``net``, blobs left out because they are shared are filled in.
    net : NetParameter, optional
        Gives the layers of a .caffemodel their parameters and order, in the current format. Without it they have name
        and type, which is all that loading needs.
    format : {"caffemodel", "hdf5", "npz"}, optional
        Overrides the suffix.

    Raises
    ------
    WeightsError
        A shared blob is not in the file, and a .caffemodel needs it; or as for `write_weights`.
    """
    chosen = format or format_of(path)
    known: dict[tuple[str, int], Any] = {}
    if net is not None:
        complete_shared(weights, net)
        known = dict(zip(_occurrences(net.layer), net.layer, strict=True))
    order = {key: i for i, key in enumerate(known)}
    keyed = zip(_occurrences(weights.layers), weights.layers, strict=True)
    kept = [(key, layer) for key, layer in keyed if net is None or key in known or any(layer.stored())]
    kept.sort(key=lambda pair: order.get(pair[0], len(order)))
    param = caffe_pb2.NetParameter(name=weights.net_name or (net.name if net is not None else ""))
    blobs, diffs = [], []
    for key, layer in kept:
        if key in known:
            param.layer.add().CopyFrom(known[key])
        else:
            param.layer.add(name=layer.name, type=layer.type)
        modern = [blob and blob.modern(layer.type, i) for i, blob in enumerate(layer.blobs)]
        blobs.append([blob and blob.data for blob in modern])
        diffs.append([blob and blob.diff for blob in modern])
    any_diff = any(diff is not None for layer_diffs in diffs for diff in layer_diffs)
    _write(path, chosen, param, blobs, diffs if any_diff else None, ())
