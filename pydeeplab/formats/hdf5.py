"""Weights in Caffe's HDF5 form, .caffemodel.h5: ``/data/<layer>/<index>``, and ``/diff`` beside it."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import h5py

from pydeeplab.errors import WeightsError
from pydeeplab.formats.hdf5_tree import hdf5_array, hdf5_children, hdf5_errors, new_hdf5
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.weights import LayerWeights, PerLayer, StoredBlob, WeightsFile, as_real, per_layer

__all__ = ["read_hdf5", "write_hdf5"]


def _collect(group: h5py.Group, prefix: str, layers: dict[str, dict[int, Any]], path: str, visited: set[int]) -> None:
    """Gather the datasets of every layer below ``group``; a name with slashes is a chain of groups."""
    subgroups = False
    for key, item in hdf5_children(group, visited):
        name = f"{prefix}/{key}" if prefix else key
        if isinstance(item, h5py.Group):
            subgroups = True
            _collect(item, name, layers, path, visited)
        elif not prefix or not key.isdecimal() or len(key) > 3:
            raise damaged(
                path,
                f"holds a dataset '{item.name}', which is not /data/<layer>/<blob index>",
                "Another program than Caffe wrote it; save its arrays as an .npz with keys 'layer/0', 'layer/1'.",
            )
        else:
            layers.setdefault(prefix, {})[int(key)] = item
    if prefix and not subgroups:
        layers.setdefault(prefix, {})


def read_hdf5(path: str | os.PathLike[str]) -> WeightsFile:
    """Read a .caffemodel.h5.

    Blobs that Caffe leaves out because another layer owns them are None in the layer's list.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or another kind of HDF5 file.
    """
    name = os.fspath(path)
    if identify(path) != "hdf5":
        raise damaged(path, "is no HDF5 file", "Use read_weights, which tells the formats apart.")
    weights = WeightsFile(name, "hdf5")
    with hdf5_errors(path), h5py.File(path, "r") as file:
        root = file.get("data")
        if not isinstance(root, h5py.Group):
            state = "iter" in file and "history" in file
            keys = ", ".join(sorted(file)) or "nothing"
            what = "a solver state" if state else f"another HDF5 file: it has {keys}, no /data"
            raise damaged(path, f"is {what}", "Give the .caffemodel.h5 instead.")
        found: dict[str, dict[int, Any]] = {}
        _collect(root, "", found, name, set())
        diffs = file.get("diff")
        for layer, datasets in found.items():
            blobs: list[StoredBlob | None] = [None] * (max(datasets, default=-1) + 1)
            for index, dataset in datasets.items():
                data = as_real(hdf5_array(dataset), f"{name}: {dataset.name}")
                gradient = diffs.get(f"{layer}/{index}") if isinstance(diffs, h5py.Group) else None
                diff = None if gradient is None else as_real(hdf5_array(gradient), f"{name}: {gradient.name}")
                if diff is not None and diff.shape != data.shape:
                    raise damaged(
                        path, f"has a diff of shape {diff.shape} for data of shape {data.shape} ({dataset.name})"
                    )
                blobs[index] = StoredBlob(data, diff)
            weights.layers.append(LayerWeights(layer, blobs=blobs))
    return weights


def _group(parent: h5py.Group, name: str, path: str | os.PathLike[str]) -> h5py.Group:
    if any(part in ("", ".") for part in name.split("/")):
        raise WeightsError(
            f"cannot write {os.fspath(path)}: HDF5 has no place for a layer called '{name}'. "
            "Rename it, or write a .caffemodel."
        )
    try:
        return parent.require_group(name)
    except TypeError:
        raise WeightsError(
            f"cannot write {os.fspath(path)}: layer '{name}' and a blob of another layer need the same place in HDF5. "
            "Rename the layer, or write a .caffemodel."
        ) from None


def _put(group: h5py.Group, index: int, array: Any, layer: str, path: str | os.PathLike[str]) -> None:
    if str(index) in group:
        raise WeightsError(
            f"cannot write {os.fspath(path)}: layer '{layer}' and another one need the same place in HDF5. "
            "Rename one, or write a .caffemodel."
        )
    group.create_dataset(str(index), data=array)


def write_hdf5(
    path: str | os.PathLike[str],
    net: Any,
    blobs: PerLayer,
    diffs: PerLayer | None = None,
    *,
    shared: Collection[tuple[int, int]] = (),
) -> None:
    """Write a .caffemodel.h5 that Caffe reads.

    Parameters
    ----------
    path, net, blobs, diffs
        As for `pydeeplab.formats.write_caffemodel`; of ``net`` only the names of the layers are used.
    shared : collection of (layer index, blob index)
        Blobs owned by an earlier layer: their data is left out, as Caffe does.
    """
    names = [layer.name for layer in net.layer]
    with new_hdf5(path) as file:
        for root, arrays in (("data", blobs), ("diff", diffs)):
            if arrays is None:
                continue
            parent = file.create_group(root)
            for i, (name, values) in enumerate(zip(names, per_layer(names, arrays, path), strict=True)):
                group = _group(parent, name, path)
                for j, array in enumerate(values):
                    if array is not None and (root == "diff" or (i, j) not in shared):
                        _put(group, j, array, name, path)
