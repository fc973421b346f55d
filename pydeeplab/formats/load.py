"""Loading weight files into a net."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import UsageError, WeightsError, counted
from pydeeplab.formats.io import read_weights
from pydeeplab.formats.match import explain_count, explain_shape, fits, is_split_batch_norm
from pydeeplab.formats.report import LoadReport
from pydeeplab.formats.weights import LayerWeights, StoredBlob, WeightsFile, describe_shape

__all__ = ["WeightsTarget", "load_weights", "split_files"]

Source = str | os.PathLike[str] | WeightsFile
_ZERO_IS_FINE = ("Bias", "Parameter")


class WeightsTarget(Protocol):
    """What weights can be loaded into: a `Net`."""

    def layer_blobs(self) -> list[tuple[str, str, list[Blob], bool]]:
        """(name, type, parameter blobs, whether shapes are strict) of every layer, in order."""

    def shared_blob(self, layer_index: int, blob_index: int) -> bool:
        """Whether a parameter blob belongs to an earlier layer."""


def split_files(files: Source | Sequence[Source]) -> list[Source]:
    """The files of a list or of comma-separated names (a name with a comma is taken as it is if it exists).

    Examples
    --------
    >>> split_files("vgg16.caffemodel, head.npz")
    ['vgg16.caffemodel', 'head.npz']
    """
    if isinstance(files, WeightsFile):
        return [files]
    if isinstance(files, (str, os.PathLike)):
        name = os.fspath(files)
        names: list[Source] = [name] if "," not in name or Path(name).exists() else [n.strip() for n in name.split(",")]
    else:
        names = [name for entry in files for name in split_files(entry)]
    if not names or "" in names:
        raise UsageError(f"expected weight files, separated by commas, got {files!r}")
    return names


@dataclass
class _Plan:
    """What one file will do to the net: decided as a whole before anything is changed."""

    copies: list[tuple[int, Blob, NDArray[Any], NDArray[Any] | None]] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class _Loader:
    """Loads files into one net, keeping account."""

    def __init__(self, net: WeightsTarget):
        self.net = net
        self.layers = net.layer_blobs()
        self.index: dict[str, int] = {}
        for i, (name, _, _, _) in enumerate(self.layers):
            self.index.setdefault(name, i)
        self.loaded: set[int] = set()
        self.storages: dict[int, int] = {}
        self.nonfinite: set[int] = set()

    def load(self, weights: WeightsFile, report: LoadReport) -> None:
        """Copy one file into the net and note it in the report."""
        plan = _Plan()
        names = {layer.name for layer in weights.layers}
        for source in weights.with_blobs():
            report.file_layers += 1
            target = self.index.get(source.name)
            if target is None:
                if source.name not in report.unused:
                    report.unused.append(source.name)
            else:
                self._plan_layer(plan, source, target, weights, names)
        if plan.refused:
            raise WeightsError(_refusal(plan.refused, weights.path))
        self.nonfinite -= {target for target, _, _, _ in plan.copies}
        for target, blob, data, diff in plan.copies:
            self._copy(target, blob, data, diff)
        report.files.append(weights.path)
        report.reshaped += plan.reshaped
        report.unused += weights.left_out

    def _plan_layer(
        self, plan: _Plan, source: LayerWeights, target: int, weights: WeightsFile, names: set[str]
    ) -> None:
        name, kind, blobs, strict = self.layers[target]
        stored = list(source.blobs)
        scale = target + 1
        if (
            kind == "BatchNorm"
            and is_split_batch_norm(source, len(blobs))
            and self._takes(scale, len(stored) - 3, names)
        ):
            self._match(plan, scale, stored[3:])
            plan.reshaped.append(f"{name}: {len(stored)} blobs divided between it and '{self.layers[scale][0]}'")
            stored = stored[:3]
        elif kind == "BatchNorm" and len(blobs) == 3 and len(stored) == 2:
            stored.append(StoredBlob(np.ones(1, np.float32)))
            plan.reshaped.append(f"{name}: mean and variance taken as final (no factor in the file)")
        absent = [i for i in range(len(blobs)) if i >= len(stored) or stored[i] is None]
        shared = weights.format != "caffemodel" and all(self.net.shared_blob(target, i) for i in absent)
        if len(stored) > len(blobs) or (absent and not shared):
            found = sum(blob is not None for blob in stored)
            advice = explain_count(name, kind, found, len(blobs))
            plan.refused[name] = f"{counted(len(blobs), 'blob')} in the net, {found} in the file. {advice}"
            return
        self._match(plan, target, stored, strict)

    def _takes(self, scale: int, count: int, names: set[str]) -> bool:
        """Whether the layer of this index is a Scale of ``count`` blobs for which the file has no values of its own."""
        if scale >= len(self.layers):
            return False
        name, kind, blobs, _ = self.layers[scale]
        return kind == "Scale" and len(blobs) == count and name not in names

    def _match(self, plan: _Plan, target: int, stored: Sequence[StoredBlob | None], strict: bool = True) -> None:
        name, kind, blobs, _ = self.layers[target]
        for i, (blob, have) in enumerate(zip(blobs, stored, strict=False)):
            if have is None:
                continue
            change = fits(have, blob.shape, kind, i, strict)
            if change is None:
                got = have.modern_shape(kind, i)
                advice = explain_shape(name, kind, got, blob.shape)
                shapes = f"{describe_shape(blob.shape)} in the net, {describe_shape(got)} in the file"
                plan.refused[name] = f"blob {i} has shape {shapes}. {advice}"
                return
            if change:
                plan.reshaped.append(f"{name}: {change}")
            plan.copies.append((target, blob, have.data, have.diff))

    def _copy(self, target: int, blob: Blob, data: NDArray[Any], diff: NDArray[Any] | None) -> None:
        values = blob.data
        with np.errstate(over="ignore"):
            values[...] = data.reshape(values.shape)
            if diff is not None:
                blob.diff[...] = diff.reshape(values.shape)
        self.loaded.add(target)
        self.storages[id(blob.data_storage)] = blob.count
        if _nonfinite(values):
            self.nonfinite.add(target)

    def conclude(self, report: LoadReport) -> None:
        """Fill in what can be said only after the last file."""
        for i, (name, kind, blobs, _) in enumerate(self.layers):
            if not blobs:
                continue
            report.net_layers += 1
            if i in self.loaded:
                report.loaded.append(name)
            elif not all(id(blob.data_storage) in self.storages for blob in blobs):
                report.missing.append(name)
                if kind not in _ZERO_IS_FINE and not blobs[0].look().any():
                    report.left_zero.append(name)
            if i in self.nonfinite:
                report.nonfinite.append(name)
        report.parameters = sum(self.storages.values())


def _nonfinite(values: NDArray[Any]) -> bool:
    """Whether there is a NaN or an infinity; the sum tells at once that there is none."""
    with np.errstate(all="ignore"):
        return not np.isfinite(values.sum()) and not bool(np.isfinite(values).all())


def _refusal(refused: dict[str, str], path: str) -> str:
    (name, why), *others = refused.items()
    message = f"{path} does not fit the net: layer '{name}': {why}"
    if others:
        more = ", ".join(f"'{other}'" for other, _ in others[:5])
        message += f" The same of {counted(len(others), 'more layer')}: {more}{', ...' if len(others) > 5 else ''}."
    return message


def load_weights(net: WeightsTarget, files: Source | Sequence[Source]) -> LoadReport:
    """Load weights into a net, by layer name, by Caffe's rules.

    A layer of a file goes to the net's first layer of the same name, whatever their types. The numbers of blobs and
    their shapes must agree, except that

    - the four axes of old files match shapes that are equal but for ones on the left;
    - ``strict_dim: false`` asks only for the same number of elements;
    - the weights of an InnerProduct and of a Convolution are reshaped into one another (fc6 of VGG-16);
    - a BatchNorm of forks that includes scale and shift is divided between a BatchNorm and the Scale right after it.

    Parameters
    ----------
    net : Net
        Changed file by file; a file that does not fit changes nothing.
    files : path, WeightsFile, or a sequence of them
        A string may hold several names, separated by commas. Later files override earlier ones.

    Returns
    -------
    LoadReport
        What was loaded, what is missing, what was not used.

    Raises
    ------
    WeightsError
        A file is missing or damaged, or a layer does not fit.
    UsageError
        No file is named.
    """
    report = LoadReport()
    loader = _Loader(net)
    for source in split_files(files):
        names = [name for name, _, blobs, _ in loader.layers if blobs]
        loader.load(source if isinstance(source, WeightsFile) else read_weights(source, names, own=False), report)
    loader.conclude(report)
    return report
