"""What a net lets its callers look at, under pycaffe's names."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property

from pydeeplab.blob import Blob, BlobVec
from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.layer import Layer
from pydeeplab.node import Node
from pydeeplab.params import Param
from pydeeplab.wiring import Wiring

__all__ = ["NetMembers"]


class NetMembers:
    """The read-only members of `Net`: layers, blobs and parameters, and how they hang together."""

    def _show(self, wiring: Wiring) -> None:
        """Take over what `Wiring.build` made; call before any other member is used."""
        self._nodes: list[Node] = wiring.nodes
        self._blob_names = wiring.blob_names
        self._blob_list = wiring.blob_list
        self._all_blobs = wiring.blobs
        self._params = wiring.params
        self._input_names = wiring.inputs
        self._output_names = wiring.outputs
        self._kept: set[str] | None = None
        """Names of the blobs that a net with ``keep`` keeps; None: all."""

    def _blob(self, name: str) -> Blob:
        try:
            return self._all_blobs[name]
        except KeyError:
            raise UsageError(f"the net has no blob '{name}'.{did_you_mean(name, self._all_blobs)}") from None

    def _visible(self, name: str) -> Blob:
        blob = self._blob(name)
        if self._kept is not None and name not in self._kept:
            raise UsageError(f"blob '{name}' is not kept; build the net with keep='all' or keep=['{name}']")
        return blob

    def _layer_index(self, name: str) -> int:
        try:
            return self._layer_names.index(name)
        except ValueError:
            raise UsageError(f"the net has no layer '{name}'.{did_you_mean(name, self._layer_names)}") from None

    @property
    def nodes(self) -> list[Node]:
        """The layers in their places, in running order."""
        return self._nodes

    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        """Blobs by name, in the order in which they are made; with ``keep`` only those that are kept."""
        pairs = zip(self._blob_names, self._blob_list, strict=True)
        return OrderedDict((n, b) for n, b in pairs if self._kept is None or n in self._kept)

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """Parameter blobs by layer name, of layers that have any."""
        return OrderedDict((node.name, node.layer.blobs) for node in self._nodes if node.layer.blobs)

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers in running order; each has ``type`` and ``blobs``."""
        return [node.layer for node in self._nodes]

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        """Layers by name."""
        return OrderedDict((node.name, node.layer) for node in self._nodes)

    @cached_property
    def _layer_names(self) -> list[str]:
        return [node.name for node in self._nodes]

    @property
    def _blobs(self) -> list[Blob]:
        return self._blob_list

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        """Names of each layer's tops."""
        return OrderedDict((node.name, node.top_names) for node in self._nodes)

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        """Names of each layer's bottoms."""
        return OrderedDict((node.name, node.bottom_names) for node in self._nodes)

    def _bottom_ids(self, index: int) -> list[int]:
        return [self._blob_id(b) for b in self._nodes[index].bottoms]

    def _top_ids(self, index: int) -> list[int]:
        return [self._blob_id(b) for b in self._nodes[index].tops]

    def _blob_id(self, blob: Blob) -> int:
        return next(i for i, b in enumerate(self._blob_list) if b is blob)

    @cached_property
    def inputs(self) -> list[str]:
        """Names of the tops of Input layers, in the order of the file."""
        return list(self._input_names)

    @cached_property
    def outputs(self) -> list[str]:
        """Names of the blobs that no layer reads, in alphabetical order."""
        return list(self._output_names)

    @property
    def _inputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.inputs]

    @property
    def _outputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.outputs]

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """The weight in the loss of each blob, by name."""
        weights = OrderedDict.fromkeys(self._blob_names, 0.0)
        for node in self._nodes:
            weights.update((n, w) for n, w in zip(node.top_names, node.layer.loss_weights, strict=False) if w)
        return weights

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    @property
    def learnable_params(self) -> list[Param]:
        """Parameters with their multipliers, each shared one once, in the order of solvers."""
        return self._params.learnable

    @property
    def all_params(self) -> list[Param]:
        """Parameters with their multipliers in layer order; ``param.owner`` indexes this list."""
        return self._params.all
