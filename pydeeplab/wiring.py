"""From a net's text to its nodes: names become blobs, layers are set up, back-propagation is pruned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydeeplab.blob import Blob
from pydeeplab.errors import LayerError, PrototxtError, did_you_mean
from pydeeplab.layer import Layer, LayerContext, layer_class
from pydeeplab.node import Node, reraise
from pydeeplab.params import ParamTable
from pydeeplab.placement import Placement, align_crop, place

__all__ = ["Wiring", "check_names"]

AUTOMATIC = "(automatic)"
"""What Caffe calls tops that it makes up."""


def _place(source: Any, index: int, field: str | None = None, item: int = 0) -> str:
    where = source.where(index, field, item) or source.where(index) or source.path
    return f"{where}: " if where else ""


def check_names(source: Any) -> None:
    """Check that every bottom is some earlier layer's top and that no two layers make the same blob.

    Raises
    ------
    PrototxtError
        A dangling bottom, a cycle, or a blob with two makers; the message says where, and the nearest known name.
    """
    layers = source.param.layer
    made: dict[str, int] = {}
    for index, layer in enumerate(layers):
        label = f"layer '{layer.name}' ({layer.type})"
        for item, bottom in enumerate(layer.bottom):
            if bottom in made:
                continue
            place = _place(source, index, "bottom", item)
            later = next((other for other in list(layers)[index:] if bottom in other.top), None)
            if later is not None:
                who = "itself" if later is layer else f"layer '{later.name}', further down"
                raise PrototxtError(
                    f"{place}{label}: bottom '{bottom}' is only made by {who}. Layers run in the order of the file "
                    "and may not form a cycle; move the maker up."
                )
            raise PrototxtError(f"{place}{label}: bottom '{bottom}' is no layer's top.{did_you_mean(bottom, made)}")
        for item, top in enumerate(layer.top):
            in_place = item < len(layer.bottom) and layer.bottom[item] == top
            if top in made and not in_place:
                first = layers[made[top]].name
                raise PrototxtError(
                    f"{_place(source, index, 'top', item)}{label}: top '{top}' is already made by layer '{first}'. "
                    "Give it another name (in-place layers need the same name at the same place among the bottoms)."
                )
            made.setdefault(top, index)


class Wiring:
    """Builds the nodes of a net, one layer at a time, in the order of the file."""

    def __init__(self, source: Any, context: LayerContext):
        self._source = source
        self._context = context
        self.nodes: list[Node] = []
        self.blobs: dict[str, Blob] = {}
        self.blob_names: list[str] = []
        self.blob_list: list[Blob] = []
        self.params = ParamTable()
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self._needs_backward: dict[str, bool] = {}
        self._unread: set[str] = set()
        self._placements: dict[str, Placement] = {}

    def build(self) -> Wiring:
        """Build everything; returns self."""
        for index, param in enumerate(self._source.param.layer):
            self._add(index, param)
        self._prune()
        if self._source.param.force_backward:
            self._force_backward()
        self._mark_labels()
        for node in self.nodes:
            node.layer.need_backward = node.need_backward
        self.outputs = sorted(self._unread)
        return self

    def _make_layer(self, index: int, param: Any) -> Layer:
        try:
            cls = layer_class(param.type)
        except KeyError as error:
            raise LayerError(f"{_place(self._source, index, 'type')}layer '{param.name}': {error.args[0]}") from None
        phase = param.phase if param.HasField("phase") else self._context.phase
        where = self._source.where(index) or self._source.path
        return cls(param, replace(self._context, phase=phase, where=where))

    def _add(self, index: int, param: Any) -> None:
        layer = self._make_layer(index, param)
        bottoms = [self.blobs[name] for name in param.bottom]
        self._unread.difference_update(param.bottom)
        tops, top_names = self._make_tops(layer, param)
        node = Node(layer, bottoms, tops, list(param.bottom), top_names)
        _check_counts(layer, len(bottoms), len(tops))
        _check_in_place(layer)
        if param.type == "Crop":
            align_crop(param, *(self._placements.get(name) for name in param.bottom))
        node.propagate_down = self._propagate_down(layer, param)
        try:
            layer.setup(bottoms, tops)
        except Exception as error:
            reraise(error, layer)
        layer.loss_weights = _loss_weights(layer, len(tops))
        node.reshape()
        layer.param_propagate_down = [p.lr_mult != 0 for p in self.params.add(layer, index)]
        node.need_backward = any(node.propagate_down) or any(layer.param_propagate_down)
        for name in top_names:
            self._needs_backward[name] = node.need_backward
        if param.type == "Input":
            self.inputs += top_names
        self.nodes.append(node)
        if placement := place(node, self._placements):
            self._placements.update((name, placement) for name in top_names if name != AUTOMATIC)

    def _mark_labels(self) -> None:
        """Tell layers that resize label maps for losses and accuracies so: class numbers must not be blended."""
        label_uses: dict[str, bool] = {}
        for node in reversed(self.nodes):
            resizes = hasattr(node.layer, "is_label")
            passes_on = False
            if resizes or node.layer.type == "Split":
                passes_on = all(label_uses.get(name, False) for name in node.top_names)
            if resizes:
                node.layer.is_label = passes_on  # type: ignore[attr-defined]
            for item, name in enumerate(node.bottom_names):
                is_label = passes_on or item in node.layer.label_bottoms
                label_uses[name] = label_uses.get(name, True) and is_label

    def _make_tops(self, layer: Layer, param: Any) -> tuple[list[Blob], list[str]]:
        names = list(param.top)
        if layer.auto_tops:
            names += [AUTOMATIC] * (layer.top_count[0] - len(names))
        tops = []
        for item, name in enumerate(names):
            if item < len(param.bottom) and param.bottom[item] == name:
                blob = self.blobs[name]
            else:
                blob = layer.new_blob()
                self.blob_names.append(name)
                self.blob_list.append(blob)
            if name != AUTOMATIC:
                self.blobs[name] = blob
                self._unread.add(name)
            tops.append(blob)
        return tops, names

    def _propagate_down(self, layer: Layer, param: Any) -> list[bool]:
        if param.propagate_down and len(param.propagate_down) != len(param.bottom):
            raise layer.error(
                f"has {len(param.bottom)} bottoms but {len(param.propagate_down)} propagate_down entries; "
                "give none or one for each"
            )
        needed = [self._needs_backward[name] for name in param.bottom]
        if param.propagate_down:
            needed = [bool(wish) for wish in param.propagate_down]
        return [n and i not in layer.unpropagated_bottoms for i, n in enumerate(needed)]

    def _prune(self) -> None:
        """Keep back-propagation to layers that lie under a loss and that somebody above passes a gradient to."""
        under_loss: set[str] = set()
        skipped: set[str] = set()
        for node in reversed(self.nodes):
            weights = node.layer.loss_weights
            contributes, skip = False, True
            for i, name in enumerate(node.top_names):
                contributes |= bool(weights[i]) or name in under_loss
                skip &= name in skipped
            if (node.need_backward and skip and node.tops) or not contributes:
                node.need_backward = False
            for i, name in enumerate(node.bottom_names):
                if not node.need_backward:
                    node.propagate_down[i] = False
                if contributes:
                    under_loss.add(name)
                if not node.propagate_down[i]:
                    skipped.add(name)

    def _force_backward(self) -> None:
        for node in self.nodes:
            node.need_backward = True
            node.propagate_down = [
                wanted or i not in node.layer.unpropagated_bottoms for i, wanted in enumerate(node.propagate_down)
            ]
            node.layer.param_propagate_down = [True] * len(node.layer.blobs)


def _count_text(least: int, most: int | None) -> str:
    if least == most:
        return f"{least}"
    return f"{least} or more" if most is None else f"{least} to {most}"


def _check_counts(layer: Layer, bottoms: int, tops: int) -> None:
    for what, count, (least, most) in (("bottom", bottoms, layer.bottom_count), ("top", tops, layer.top_count)):
        if count < least or (most is not None and count > most):
            raise layer.error(f"takes {_count_text(least, most)} {what} blob(s), got {count}")
    if layer.equal_bottoms_and_tops and bottoms != tops:
        raise layer.error(f"needs as many tops as bottoms, got {bottoms} bottoms and {tops} tops")


def _check_in_place(layer: Layer) -> None:
    shared: Iterable[str] = set(layer.param.bottom) & set(layer.param.top)
    if shared and not layer.in_place:
        raise layer.error(f"cannot work in place: give top '{next(iter(shared))}' a name of its own")


def _loss_weights(layer: Layer, tops: int) -> list[float]:
    given = list(layer.param.loss_weight)
    if given:
        if len(given) > tops or len(given) < len(layer.param.top):
            raise layer.error(f"has {tops} tops but {len(given)} loss_weight entries; give none or one for each")
        return given + [0.0] * (tops - len(given))
    return [1.0 if layer.is_loss and i == 0 else 0.0 for i in range(tops)]
