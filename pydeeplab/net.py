"""Nets: layers over named blobs, built from a prototxt, run forward and backward."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.backend import get_backend
from pydeeplab.batching import batches, forward_all, forward_backward_all
from pydeeplab.blob import Blob
from pydeeplab.chains import Merged
from pydeeplab.errors import UsageError, WeightsError, counted, did_you_mean
from pydeeplab.execution import Callback, Execution, LeanExecution, TrainingExecution
from pydeeplab.feeding import feed
from pydeeplab.formats import LoadReport, load_weights, write_weights
from pydeeplab.layer import TEST, TRAIN, LayerContext, Workspace
from pydeeplab.layers.memory_data import MemoryData
from pydeeplab.lean import LeanPlan
from pydeeplab.net_members import NetMembers
from pydeeplab.net_state import source_in_state
from pydeeplab.node import Node
from pydeeplab.process import default_backend
from pydeeplab.proto import NetSource, parse_net, read_net
from pydeeplab.randomness import new_generator
from pydeeplab.replay import Replay, wants_replay
from pydeeplab.training_plan import TrainingPlan
from pydeeplab.wiring import AUTOMATIC, Wiring

__all__ = ["ENGINES", "Net"]

ENGINES = ("DEFAULT", "CAFFE", "CUDNN")
"""Convolution engines: DEFAULT is the fastest of ours for each shape, CAFFE computes as Caffe does, CUDNN is NVIDIA's
where a GPU has it and DEFAULT elsewhere."""

_WITHOUT_SOURCE = ("Input", "Parameter", "DummyData")
"""Layers without bottoms that may run once too often: they move on in no data."""


class Net(NetMembers):
    """A net of layers, with pycaffe's members.

    Parameters
    ----------
    network_file : path or NetSource
        A net prototxt of any dialect; see also `from_text` and `from_source`.
    phase : int
        `TRAIN` (0) or `TEST` (1).
    level, stages
        The net state that include and exclude rules see.
    weights : path or comma-separated paths, optional
        Weight files to load, in order.
    engine : {"DEFAULT", "CAFFE", "CUDNN"}
        Convolution engine of layers that do not name one.
    backend : {"cpu", "reference", "cuda", "cuda-emulation"}, optional
        Where the arithmetic runs; by default the CPU, or what `set_mode_gpu` says. See `pydeeplab.backend.get_backend`.
    keep : {"all", "outputs", "training", "recompute"} or blob names
        "all" keeps every blob and its gradient, as scripts expect. "outputs", or names of blobs, keeps the net's
        outputs and those blobs only: memory is reused, runs of pointwise layers are merged, and convolutions that share
        their parameters may run together, which is faster and leaner; there is then no backward, and parameters written
        through views that were taken before the last forward are not noticed. "training" keeps what backward reads, for
        one backward after each forward; "recompute" keeps less and computes it again during backward. Both give the
        same bits as "all" in parameters' gradients, outputs and inputs; what other blobs hold is undefined.
    defines : mapping, optional
        Values for ``${NAME}`` placeholders in the prototxt.
    dtype
        float32; float64 on the reference backend.
    inputs : mapping, optional
        Shapes that replace those of Input layers, by blob name.

    Raises
    ------
    PrototxtError, LayerError, ShapeError
        The prototxt cannot be read or built; the message gives file, line and column.
    WeightsError
        A weight file is damaged or does not fit.

    Notes
    -----
    As in pycaffe, ``Net(network_file, weights_file, phase)`` also works, and what `forward` returns are views that the
    next forward overwrites.

    Examples
    --------
    >>> net = Net.from_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }'
    ...                     'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }', TEST)
    >>> net.blobs["x"].data[...] = [[-1, 0, 2]]
    >>> net.forward()["y"]
    array([[0., 0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        network_file: str | os.PathLike[str] | NetSource,
        phase: int | str | os.PathLike[str] = TEST,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        *,
        engine: str = "DEFAULT",
        backend: str | None = None,
        keep: str | Iterable[str] = "all",
        defines: Mapping[str, str] | None = None,
        dtype: Any = np.float32,
        inputs: Mapping[str, Sequence[int]] | None = None,
    ):
        if isinstance(phase, (str, os.PathLike)):
            warnings.warn(
                "Net(network_file, weights_file, phase) is an old form; write Net(network_file, phase, weights=file)",
                DeprecationWarning,
                stacklevel=2,
            )
            weights, phase, level = phase, level, 0
        source = _read(network_file, defines)
        if engine not in ENGINES:
            raise UsageError(
                f"unknown engine '{engine}'; known are {', '.join(ENGINES)}.{did_you_mean(engine, ENGINES)}"
            )
        self.phase = phase
        self.engine = engine
        self.backend = get_backend(backend or default_backend())
        self._dtype = np.dtype(dtype)
        if self._dtype not in self.backend.dtypes:
            raise UsageError(
                f"backend {backend} computes in {', '.join(map(str, self.backend.dtypes))}, not {self._dtype}"
            )
        self.source = source_in_state(source, phase, level, stages, inputs)
        self.name: str = self.source.param.name
        self.workspace = Workspace(self.backend, self._dtype)
        context = LayerContext(phase, self.backend, self._dtype, engine, self.workspace, new_generator())
        context.search_path = [os.path.dirname(os.path.abspath(source.path))] if os.path.isfile(source.path) else []
        self._show(Wiring(self.source, context).build())
        self._execution = self._choose_execution(keep)
        self.load_reports: list[LoadReport] = []
        self._unloaded: list[str] = []
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def from_text(
        cls,
        text: str,
        phase: int = TEST,
        *,
        filename: str = "<text>",
        defines: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Net:
        """Build a net from prototxt text; ``options`` are those of the constructor."""
        return cls.from_source(parse_net(text, filename=filename, defines=defines), phase, **options)

    @classmethod
    def from_source(cls, source: NetSource, phase: int = TEST, **options: Any) -> Net:
        """Build a net from a prototxt that has been read (and perhaps changed) already.

        ``options`` are those of the constructor, but for ``defines``.
        """
        net = cls.__new__(cls)
        Net.__init__(net, source, phase, **options)
        return net

    def _choose_execution(self, keep: str | Iterable[str]) -> Execution:
        """How the net runs; it notes which blobs are kept, unless all are."""
        if keep == "all":
            return Execution(self._nodes)
        training = keep in ("training", "recompute")
        names = [] if training or keep == "outputs" else ([keep] if isinstance(keep, str) else list(keep))
        self._kept = {*names, *self.outputs, *self.inputs}
        kept = [self._blob(name) for name in self._kept]
        if training:
            plan = TrainingPlan(self._nodes, kept, self.backend, self._dtype, recompute=keep == "recompute")
            return TrainingExecution(self._nodes, plan)
        lean = LeanPlan(self._nodes, kept, self.backend, self._dtype)
        replays = self.phase == TEST and wants_replay(self.backend)
        return LeanExecution(self._nodes, lean, self._make_replay(lean) if replays else None)

    def _make_replay(self, plan: LeanPlan) -> Replay:
        params = [blob for blobs in self.params.values() for blob in blobs]
        replay = Replay(self.backend, self.workspace, plan.sources, params, plan.results, plan.memory)
        for node in self._nodes:
            if node.layer.type == "Python" or (not node.bottoms and node.layer.type not in _WITHOUT_SOURCE):
                replay.reason = f"a {node.layer.type} layer may do something else in every forward"
        return replay

    # Running ---------------------------------------------------------------------------------------------------

    def _forward(self, start: int, end: int) -> float:
        """Run layers ``start`` to ``end`` (inclusive); returns their weighted loss."""
        self._check_loaded()
        return self._execution.forward(start, end)

    def steps(self) -> Iterator[Node | Merged]:
        """What one forward runs, in order, for callers that want to run and watch it step by step.

        Each step must be run (``step.forward()``) before the next is asked for.
        """
        return self._execution.steps()

    def _backward(self, start: int, end: int) -> None:
        """Run layers ``start`` down to ``end`` (inclusive) backward."""
        self._execution.backward(start, end)

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: ArrayLike
    ) -> dict[str, NDArray[Any]]:
        """Run the net forward.

        Parameters
        ----------
        blobs : names, optional
            Blobs to return beside the outputs.
        start, end : layer names, optional
            First and last layer to run. With ``end``, that layer's tops are returned instead of the net's outputs, by
            their own names. (The pycaffe that came with DeepLab v2 looked for a blob named like the layer.)
        **kwargs
            Contents of the inputs, by name; all of them or none.

        Returns
        -------
        dict
            Views on the blobs' data, overwritten by the next forward.
        """
        first = self._layer_index(start) if start is not None else 0
        last = self._layer_index(end) if end is not None else len(self._nodes) - 1
        tops = [name for name in self.top_names[end] if name != AUTOMATIC] if end is not None else self.outputs
        wanted = tops + list(blobs or ())
        visible = {name: self._visible(name) for name in wanted}
        if kwargs:
            feed({name: self._blob(name) for name in self.inputs}, kwargs, "data")
        self._forward(first, last)
        return {name: blob.data for name, blob in visible.items()}

    def backward(
        self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: ArrayLike
    ) -> dict[str, NDArray[Any]]:
        """Run the net backward, from layer ``start`` down to ``end``.

        ``kwargs`` are gradients of the outputs (all of them or none). Returns views on the gradients of the inputs (or
        of the bottoms of ``end``) and of the blobs named in ``diffs``.
        """
        first = self._layer_index(start) if start is not None else len(self._nodes) - 1
        last = self._layer_index(end) if end is not None else 0
        wanted = (self.bottom_names[end] if end is not None else self.inputs) + list(diffs or ())
        visible = {name: self._visible(name) for name in wanted}
        if kwargs:
            feed({name: self._blob(name) for name in self.outputs}, kwargs, "diff")
        self._backward(first, last)
        return {name: blob.diff for name, blob in visible.items()}

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: ArrayLike) -> dict[str, NDArray[Any]]:
        """Run the net forward on any number of items, batch by batch.

        Parameters
        ----------
        blobs : names, optional
            Blobs to return beside the outputs.
        **kwargs
            Contents of all inputs, by name, with any number of items along the first axis. The last batch is filled up
            with zeros, whose results are left out.

        Returns
        -------
        dict
            Arrays (no views) with as many items; of a scalar, such as a loss, one value per batch.

        Raises
        ------
        UsageError
            The names are not those of the inputs, or the arrays differ in their number of items.
        """
        return forward_all(self, blobs, kwargs)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: ArrayLike
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Run the net forward and backward on any number of items, batch by batch.

        Parameters
        ----------
        blobs, diffs : names, optional
            Blobs to return beside the outputs, and beside the gradients of the inputs.
        **kwargs
            Contents of the inputs and gradients of the outputs, by name; see `forward_all`.

        Returns
        -------
        (dict, dict)
            Data of the outputs and ``blobs``, and gradients of the inputs and ``diffs``.
        """
        return forward_backward_all(self, blobs, diffs, kwargs)

    def _batch(self, blobs: Mapping[str, ArrayLike]) -> Iterator[dict[str, NDArray[Any]]]:
        return batches(blobs, next(iter(self.blobs.values())).shape[0])

    def reshape(self) -> None:
        """Pass changed input shapes through all layers without computing anything."""
        for node in self._nodes:
            node.reshape()

    def set_input_arrays(self, data: NDArray[Any], labels: NDArray[Any]) -> None:
        """Give a net whose first layer is MemoryData the arrays to take its batches from."""
        first = self.layers[0]
        if not isinstance(first, MemoryData):
            raise UsageError(f"set_input_arrays needs a net whose first layer is MemoryData; it is {first.type}")
        first.set_arrays(data, labels)

    _set_input_arrays = set_input_arrays

    def clear_param_diffs(self) -> None:
        """Set the gradients of all parameters to zero."""
        for param in self.learnable_params:
            param.blob.write_diff()[...] = 0

    def before_forward(self, callback: Callback) -> None:
        """Call ``callback(layer_index)`` before each layer's forward."""
        self._execution.callbacks["before_forward"].append(callback)

    def after_forward(self, callback: Callback) -> None:
        """Call ``callback(layer_index)`` after each layer's forward."""
        self._execution.callbacks["after_forward"].append(callback)

    def before_backward(self, callback: Callback) -> None:
        """Call ``callback(layer_index)`` before each layer's backward."""
        self._execution.callbacks["before_backward"].append(callback)

    def after_backward(self, callback: Callback) -> None:
        """Call ``callback(layer_index)`` after each layer's backward."""
        self._execution.callbacks["after_backward"].append(callback)

    # Weights ---------------------------------------------------------------------------------------------------

    def layer_blobs(self) -> list[tuple[str, str, list[Blob], bool]]:
        """(name, type, parameter blobs, whether shapes are strict) of every layer, in order."""
        return [(n.name, n.layer.type, list(n.layer.blobs), bool(n.layer.param.strict_dim)) for n in self._nodes]

    def shared_blob(self, layer_index: int, blob_index: int) -> bool:
        """Whether a parameter blob belongs to an earlier layer."""
        return self._params.is_shared(layer_index, blob_index)

    def copy_from(self, weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> LoadReport:
        """Load weight files (any format, comma-separated or a list) by layer name, by Caffe's rules.

        In phase TEST, the next forward fails if a layer that the files left out is still all zero.
        """
        report = load_weights(self, weights)
        self.load_reports.append(report)
        if self.phase == TEST:
            self._unloaded = list(report.missing)
        return report

    def _check_loaded(self) -> None:
        if not self._unloaded:
            return
        params = self.params
        blank = [n for n in self._unloaded if n in params and not any(b.look().any() for b in params[n])]
        if blank:
            raise WeightsError(
                f"no loaded file holds the weights of {counted(len(blank), 'layer')}, and they are all zero: "
                f"{', '.join(blank)}. The result would mean nothing. Load the right weights, give the layer the name "
                "that it has in the weight file, or fill net.params[...] by hand."
            )
        self._unloaded = []

    def share_with(self, other: Net) -> None:
        """Use the parameter memory of the equally named layers of ``other``."""
        theirs = other.params
        pairs = []
        for name, blobs in self.params.items():
            for mine, source in zip(blobs, theirs.get(name, ()), strict=False):
                if mine.shape != source.shape:
                    raise WeightsError(
                        f"cannot share weights of layer '{name}': shape {mine.shape} here, {source.shape} there"
                    )
                pairs.append((mine, source))
        for mine, source in pairs:
            mine.share_data(source)

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Write the weights; the suffix chooses .caffemodel, .h5 or .npz (others: the .caffemodel format)."""
        write_weights(filename, self)

    def save_hdf5(self, filename: str | os.PathLike[str]) -> None:
        """Write the weights in Caffe's HDF5 format."""
        write_weights(filename, self, format="hdf5")

    def load_hdf5(self, filename: str | os.PathLike[str]) -> LoadReport:
        """Load weights from Caffe's HDF5 format."""
        return self.copy_from(filename)

    def activation_bytes(self) -> int:
        """Bytes that the blobs' data occupy at present (while training also their gradients), shared memory once."""
        return self._execution.nbytes

    def __repr__(self) -> str:
        return f"<Net '{self.name}': {len(self._nodes)} layers, {'TRAIN' if self.phase == TRAIN else 'TEST'}>"


def _read(file: str | os.PathLike[str] | NetSource, defines: Mapping[str, str] | None) -> NetSource:
    if not isinstance(file, NetSource):
        return read_net(file, defines=defines)
    if defines:
        raise UsageError("the placeholders of a net that has been read are filled: give defines= to what reads it")
    return file
