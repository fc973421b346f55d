"""Dumps: what a net held in its blobs after a run, recorded by us or by a script that runs in reference Caffe.

A dump maps keys to arrays:

========================  ============================================================
``in/<blob>``             what the inputs were given
``data/<blob>``           a blob after forward
``diff/<blob>``           its gradient after backward
``topdiff/<blob>``        the gradients that outputs were given before backward
``pdiff/<layer>/<i>``     the gradient of a parameter after one backward from zero
``param/<layer>/<i>``     a parameter
========================  ============================================================

Keys without such a prefix are taken for names of blobs (``data/``). On disk it is an .npz, an .h5 with the same paths
as datasets, or a folder of .mat files: one per blob, called ``<blob>.mat`` or as MatWrite calls them
(``<blob>_blob_0.mat``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError, WeightsError
from pydeeplab.files import atomic_path
from pydeeplab.formats.hdf5_tree import hdf5_array, hdf5_children, hdf5_errors, new_hdf5
from pydeeplab.formats.mat import read_mat
from pydeeplab.formats.npy import NpyError, Npz
from pydeeplab.formats.weights import as_real
from pydeeplab.net import Net

__all__ = ["KINDS", "Dump", "dump_script", "put", "read_dump", "record", "write_dump"]

KINDS = ("in", "data", "diff", "topdiff", "pdiff", "param")
MAGIC, VERSION = "pydeeplab_dump", 1

Arrays = dict[str, NDArray[Any]]


@dataclass
class Dump:
    """Recorded arrays, by what they are."""

    inputs: Arrays = field(default_factory=dict)
    data: Arrays = field(default_factory=dict)
    diff: Arrays = field(default_factory=dict)
    topdiff: Arrays = field(default_factory=dict)
    pdiff: Arrays = field(default_factory=dict)
    param: Arrays = field(default_factory=dict)

    def _of(self, kind: str) -> Arrays:
        arrays: Arrays = getattr(self, "inputs" if kind == "in" else kind)
        return arrays

    def items(self) -> Iterable[tuple[str, NDArray[Any]]]:
        """All (key, array) pairs."""
        for kind in KINDS:
            yield from ((f"{kind}/{name}", array) for name, array in self._of(kind).items())

    @classmethod
    def from_items(cls, items: Iterable[tuple[str, Any]]) -> Dump:
        """Sort (key, array) pairs by the prefixes of their keys; `DataError` if an array holds no real numbers."""
        dump = cls()
        for key, array in items:
            kind, _, name = key.partition("/")
            if kind not in KINDS or not name:
                kind, name = "data", key
            values = np.asarray(array)
            if values.dtype.kind not in "fiub":
                raise DataError(f"'{key}' holds values of type {values.dtype}; a dump holds real numbers")
            dump._of(kind)[name] = values
        return dump


def _read_npz(path: Path) -> Dump:
    try:
        with Npz(path) as archive:
            arrays = {name: archive[name] for name in archive}
    except NpyError as error:
        raise DataError(f"{path}: not a readable .npz dump ({error}); record it again") from None
    version = arrays.pop(MAGIC, np.array(VERSION)).reshape(-1).tolist()
    if version != [VERSION]:
        raise DataError(f"{path}: the dump has version {version}, this program knows version {VERSION}; update it")
    return Dump.from_items(arrays.items())


def _read_hdf5(path: Path) -> Dump:
    def walk(group: h5py.Group, prefix: str, visited: set[int]) -> Iterator[tuple[str, NDArray[Any]]]:
        for key, item in hdf5_children(group, visited):
            if isinstance(item, h5py.Group):
                yield from walk(item, f"{prefix}{key}/", visited)
            else:
                yield f"{prefix}{key}", as_real(hdf5_array(item), f"{path}: {item.name}")

    try:
        with hdf5_errors(path), h5py.File(path, "r") as file:
            return Dump.from_items(walk(file, "", set()))
    except WeightsError as error:
        raise DataError(f"{path}: not a readable HDF5 dump ({error}); record it again") from None


def _read_folder(path: Path) -> Dump:
    files = sorted(path.glob("*.mat"))
    if not files:
        raise DataError(f"{path}: the folder holds no .mat files")
    return Dump.from_items((f.stem.removesuffix("_blob_0"), read_mat(f)) for f in files)


def read_dump(path: str | os.PathLike[str]) -> Dump:
    """Read a dump: .npz, .h5/.hdf5, or a folder of .mat files.

    Raises
    ------
    DataError
        There is no such file, or it cannot be read as a dump.
    """
    source = Path(path)
    if source.is_dir():
        return _read_folder(source)
    if not source.is_file():
        raise DataError(
            f"{source}: no such dump; record one with `pydeeplab dump`, or in Caffe with the program that "
            "`pydeeplab dump --script` prints"
        )
    try:
        return _read_hdf5(source) if h5py.is_hdf5(source) else _read_npz(source)
    except DataError as error:
        raise error if str(source) in str(error) else DataError(f"{source}: {error}") from None


def write_dump(path: str | os.PathLike[str], dump: Dump) -> None:
    """Write a dump atomically; .h5 and .hdf5 as HDF5, everything else as .npz."""
    if Path(path).suffix in (".h5", ".hdf5"):
        with new_hdf5(path) as file:
            for key, array in dump.items():
                file[key] = array
            file.attrs[MAGIC] = VERSION
        return
    arrays: Any = {MAGIC: np.array(VERSION), **dict(dump.items())}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def put(target: NDArray[Any], values: Any, key: str) -> None:
    """Copy recorded values into a blob of a net; `DataError` naming ``key`` if their shapes do not fit."""
    try:
        target[...] = values
    except ValueError:
        raise DataError(
            f"'{key}' has shape {np.shape(values)} in the dump, {target.shape} in the net; is it of this net?"
        ) from None


def record(
    net: Net,
    inputs: Mapping[str, NDArray[Any]],
    *,
    backward: bool = False,
    topdiff: Mapping[str, NDArray[Any]] | None = None,
    params: bool = False,
) -> Dump:
    """Run a net that keeps all blobs and record them.

    Parameters
    ----------
    inputs
        Contents by blob name; the net is reshaped to them.
    backward
        Also run backward, with ``topdiff`` on the outputs (ones where it names none and the output is no loss).
    params
        Also record the parameters.
    """
    dump = Dump(inputs={n: np.array(a, np.float32) for n, a in inputs.items()})
    for name, values in dump.inputs.items():
        net.blobs[name].reshape(*values.shape)
    net.reshape()
    for name, values in dump.inputs.items():
        net.blobs[name].data[...] = values
    net.forward()
    dump.data = {n: b.data.copy() for n, b in net.blobs.items()}
    layers = {f"{layer}/{i}": blob for layer, blobs in net.params.items() for i, blob in enumerate(blobs)}
    if params:
        dump.param = {k: b.data.copy() for k, b in layers.items()}
    if backward:
        losses = net.blob_loss_weights
        for name in net.outputs:
            if not losses[name]:
                put(net.blobs[name].diff, (topdiff or {}).get(name, np.float32(1)), f"topdiff/{name}")
                dump.topdiff[name] = net.blobs[name].diff.copy()
        net.clear_param_diffs()
        net.backward()
        dump.diff = {n: b.diff.copy() for n, b in net.blobs.items()}
        dump.pdiff = {k: b.diff.copy() for k, b in layers.items()}
    return dump


_SCRIPT = '''\
"""Records every blob of a net in Caffe, for `pydeeplab compare`. Needs pycaffe and NumPy; runs under Python 2 and 3.

usage: python record.py NET.prototxt WEIGHTS.caffemodel INPUTS.npz OUT.npz [backward]
INPUTS.npz holds one array per input blob, under the blob's name.
"""
import sys

import caffe
import numpy as np

net_file, weights, inputs, out = sys.argv[1:5]
caffe.set_mode_cpu()
net = caffe.Net(net_file, weights, caffe.TEST)
record = {}
for name, values in np.load(inputs).items():
    net.blobs[name].reshape(*values.shape)
    net.blobs[name].data[...] = values
    record["in/" + name] = np.array(values, np.float32)
net.reshape()
net.forward()
for name, blob in net.blobs.items():
    record["data/" + name] = blob.data.copy()
if "backward" in sys.argv[5:]:
    for name in net.outputs:
        if not net.blob_loss_weights[name]:
            net.blobs[name].diff[...] = 1
            record["topdiff/" + name] = net.blobs[name].diff.copy()
    net.backward()
    for name, blob in net.blobs.items():
        record["diff/" + name] = blob.diff.copy()
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            record["pdiff/%s/%d" % (layer, i)] = blob.diff.copy()
np.savez_compressed(out, **record)
'''


def dump_script() -> str:
    """The program that records a dump in reference Caffe (pycaffe), on another machine."""
    return _SCRIPT
