"""Nets and solvers as read: the upgraded message together with where everything stood in the text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.filter import includes
from pydeeplab.proto.positions import Entry, SourceText, find
from pydeeplab.proto.splits import insert_splits
from pydeeplab.proto.text import load_text, parse_message, prepare_text
from pydeeplab.proto.upgrade import upgrade_net, upgrade_solver

__all__ = ["NetSource", "SolverSource", "parse_net", "parse_solver", "read_net", "read_solver"]

_LAYERS = ("layer", "layers")
_WRITTEN_AS = {
    "convolution_param.dilation": ("convolution_param.hole", "convolution_param.hole_h"),
    "loss_param": ("softmaxloss_param",),
    "loss_param.ignore_labels": ("loss_param.ignore_label", "softmaxloss_param.ignore_label"),
    "loss_param.ignore_label": ("softmaxloss_param.ignore_label",),
    "loss_param.weight_source": ("softmaxloss_param.weight_source",),
    "param.lr_mult": ("blobs_lr",),
    "param.decay_mult": ("weight_decay",),
    "param.name": ("param",),
}
"""Fields of the current format and what they are called in older ones."""


class _Origin:
    """The fields of one net in a text: a whole file, or a net within a solver."""

    def __init__(self, text: SourceText, path: tuple[str, int] | None = None):
        self.text = text
        self._path = path

    def entries(self) -> list[Entry]:
        if self._path is None:
            return self.text.entries
        found = find(self.text.entries, *self._path)
        return found.inside if found else []

    def place(self, field: str, item: int = 0) -> str:
        """ "file:line:column: " of a field of the net, or the file's name if it cannot be found."""
        found = find(self.entries(), field, item)
        return f"{self.text.place(found.start) if found else self.text.filename}: "

    def layer(self, index: int) -> Entry | None:
        return self._layers[index] if index < len(self._layers) else None

    @cached_property
    def _layers(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.name in _LAYERS]


class NetSource:
    """A net in the current format, which remembers where each layer stood.

    Attributes
    ----------
    param : NetParameter
        All upgrades done: only ``layer``, no ``layers`` and no ``input``.
    path : str
        The file's name, or what the caller called the text.
    notes : list of str
        Conversions worth telling.
    dialect : str
        As written: "Caffe", "Caffe V1", "Caffe V0", "DeepLab v1", "DeepLab v2", "SegNet", ...
    """

    def __init__(
        self, param: Any, path: str, *, dialect: str, notes: Sequence[str], origins: Sequence[int | None], text: _Origin
    ):
        self.param = param
        self.path = path
        self.dialect = dialect
        self.notes = list(notes)
        self._origins = list(origins)
        self._text = text

    def where(self, layer_index: int, field: str | None = None, item: int = 0) -> str:
        """Where a layer, or a field of it, stands in the text.

        Parameters
        ----------
        layer_index : int
            Index into ``param.layer``.
        field : str, optional
            A field in the current format, such as "bottom" or "convolution_param.kernel_size".
        item : int
            Which one, of a repeated field.

        Returns
        -------
        str
            "file:line:column"; empty when unknown, as for layers and fields that were not written.
        """
        if not 0 <= layer_index < len(self._origins):
            return ""
        origin = self._origins[layer_index]
        entry = None if origin is None else self._text.layer(origin)
        if entry is None:
            return ""
        if field is None:
            return self._text.text.place(entry.start)
        for name in (field, *_WRITTEN_AS.get(field, ())):
            for path in (name, f"layer.{name}"):
                if found := entry.find(path, item):
                    return self._text.text.place(found.value)
        return ""

    def _place(self, layer_index: int, field: str | None = None, item: int = 0) -> str:
        where = self.where(layer_index, field, item) or self.where(layer_index)
        return f"{where}: " if where else f"{self.path}: "

    def derived(self, param: Any, indices: Sequence[int]) -> NetSource:
        """A changed net whose layer i comes from layer ``indices[i]`` of this one, so that places are still known."""
        origins = [self._origins[index] for index in indices]
        return NetSource(param, self.path, dialect=self.dialect, notes=self.notes, origins=origins, text=self._text)

    def filtered(self, state: Any) -> NetSource:
        """The layers that a net state includes.

        Parameters
        ----------
        state : NetState

        Raises
        ------
        PrototxtError
            A layer has include and exclude rules.
        """
        kept = [
            index
            for index, layer in enumerate(self.param.layer)
            if includes(layer, state, lambda index=index: self._place(index))  # type: ignore[misc]
        ]
        param = caffe_pb2.NetParameter()
        param.CopyFrom(self.param)
        del param.layer[:]
        param.layer.extend(self.param.layer[index] for index in kept)
        return self.derived(param, kept)

    def with_splits(self) -> NetSource:
        """The net with a Split layer behind every blob that more than one layer reads; see `splits.insert_splits`.

        Raises
        ------
        PrototxtError
            A bottom is no earlier layer's top.
        """
        param, indices = insert_splits(self.param, self._place)
        return self.derived(param, indices)


class SolverSource:
    """A solver in the current format, which remembers where each field stood.

    Attributes
    ----------
    param : SolverParameter
        ``type`` in place of ``solver_type``; nets inside are as written: ask `net_source` for them.
    path : str
        The file's name, or what the caller called the text.
    notes : list of str
        Conversions worth telling.
    """

    def __init__(self, param: Any, path: str, *, notes: Sequence[str], text: SourceText):
        self.param = param
        self.path = path
        self.notes = list(notes)
        self._text = text

    def where(self, field: str, item: int = 0) -> str:
        """Where the value of a field stands: "file:line:column", empty when it is not written."""
        found = find(self._text.entries, field, item)
        return self._text.place(found.value) if found else ""

    def net_source(self, field: str, item: int = 0) -> NetSource:
        """A net written inside the solver, upgraded.

        Parameters
        ----------
        field : {"net_param", "train_net_param", "test_net_param"}
        item : int
            Which one, of ``test_net_param``.

        Raises
        ------
        PrototxtError
            The net cannot be upgraded.
        """
        value = getattr(self.param, field)
        net = caffe_pb2.NetParameter()
        net.CopyFrom(value[item] if field == "test_net_param" else value)
        return _net_source(net, self.path, _Origin(self._text, (field, item)))


def _net_source(net: Any, path: str, text: _Origin) -> NetSource:
    upgraded = upgrade_net(net, text.place)
    return NetSource(
        upgraded.param, path, dialect=upgraded.dialect, notes=upgraded.notes, origins=upgraded.origins, text=text
    )


def parse_net(text: str, *, filename: str = "<text>", defines: Mapping[str, object] | None = None) -> NetSource:
    """Read a net from text.

    Parameters
    ----------
    text : str
        A net prototxt of any dialect.
    filename : str
        What messages call it.
    defines : mapping, optional
        Values for ``${NAME}`` placeholders.

    Raises
    ------
    PrototxtError
        The text is no net; the message gives file, line, column and the way out.

    Examples
    --------
    >>> net = parse_net('layers { name: "r" type: RELU bottom: "x" top: "x" } input: "x" input_dim: [1, 3, 4, 4]')
    >>> [layer.type for layer in net.param.layer]
    ['Input', 'ReLU']
    >>> net.where(1, "bottom")
    '<text>:1:39'
    """
    source = prepare_text(text, filename, defines)
    net = parse_message(source, caffe_pb2.NetParameter())
    if not (net.layer or net.layers or net.input):
        raise PrototxtError(f"{filename} holds no layers: this is no net.")
    return _net_source(net, filename, _Origin(source))


def read_net(path: str | os.PathLike[str], *, defines: Mapping[str, object] | None = None) -> NetSource:
    """Read a net from a prototxt file; see `parse_net`.

    Raises
    ------
    PrototxtError
        The file is missing, empty, binary or not UTF-8, or no net.
    """
    return parse_net(load_text(path), filename=os.fspath(path), defines=defines)


def parse_solver(text: str, *, filename: str = "<text>", defines: Mapping[str, object] | None = None) -> SolverSource:
    """Read a solver from text; see `parse_net` for the parameters.

    Raises
    ------
    PrototxtError
        The text is no solver, or gives both ``type`` and ``solver_type``.

    Examples
    --------
    >>> solver = parse_solver('base_lr: 0.001\\nsolver_type: NESTEROV')
    >>> solver.param.type, solver.where("base_lr")
    ('Nesterov', '<text>:1:10')
    """
    source = prepare_text(text, filename, defines)
    solver = parse_message(source, caffe_pb2.SolverParameter())
    notes = upgrade_solver(solver, _Origin(source).place)
    return SolverSource(solver, filename, notes=notes, text=source)


def read_solver(path: str | os.PathLike[str], *, defines: Mapping[str, object] | None = None) -> SolverSource:
    """Read a solver from a prototxt file.

    As in BVLC's newest Caffe, a missing ``snapshot_prefix`` becomes the file's path without its extension, and one that
    names a folder gets the file's stem appended.

    Raises
    ------
    PrototxtError
        The file is missing, empty, binary or not UTF-8, or no solver.
    """
    source = parse_solver(load_text(path), filename=os.fspath(path), defines=defines)
    source.param.snapshot_prefix = _snapshot_prefix(source.param, Path(path))
    return source


def _snapshot_prefix(solver: Any, path: Path) -> str:
    if not solver.HasField("snapshot_prefix"):
        return str(path.with_suffix(""))
    if Path(solver.snapshot_prefix).is_dir():
        return str(Path(solver.snapshot_prefix) / path.stem)
    return str(solver.snapshot_prefix)
