"""Brings a net or solver of any age to the current format, in the order in which Caffe does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.dialects import net_dialect
from pydeeplab.proto.upgrade_v0 import upgrade_v0
from pydeeplab.proto.upgrade_v1 import move_data_transforms, upgrade_holes, upgrade_v1_layer

__all__ = ["Upgraded", "upgrade_net", "upgrade_solver"]

_SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}

Place = Callable[[str, int], str]


@dataclass
class Upgraded:
    """A net in the current format.

    Attributes
    ----------
    param : NetParameter
    origins : list of int or None
        For each layer, the index of the written layer that it comes from; None for one that the upgrade added.
    notes : list of str
        What a reader should know about the conversion.
    dialect : str
        As `dialects.net_dialect` names it.
    """

    param: Any
    origins: list[int | None]
    dialect: str
    notes: list[str] = field(default_factory=list)


def upgrade_net(net: Any, place: Place = lambda field, item: "", *, keep_shapeless_inputs: bool = True) -> Upgraded:
    """Bring a net to the current format.

    Parameters
    ----------
    net : NetParameter
        Consumed: use the result only.
    place : callable
        ``place(field, item)`` is "file:line:column: " or "" of a field of the net, such as ``("layers", 3)``.
    keep_shapeless_inputs : bool
        What becomes of ``input`` without a shape: an Input layer without a shape (texts), or nothing (weight files).

    Raises
    ------
    PrototxtError
        ``layer`` and ``layers`` in one net; padding that cannot be folded; input shapes that do not fit the inputs;
        contradictory names of one thing.
    """
    if net.layer and net.layers:
        first, other = sorted([place("layer", 0), place("layers", 0)], key=_line)
        also = f"; the other begins at {first.rstrip(': ')}" if first else ""
        raise PrototxtError(
            f"{other}layer {{ }} and layers {{ }} (the old format) in one net{also}. Write all layers in one format; "
            "`pydeeplab upgrade` converts files that are wholly in the old one."
        )
    result = Upgraded(net, list(range(len(net.layers) or len(net.layer))), net_dialect(net))
    written = "layers" if net.layers else "layer"
    if net.layers:
        _upgrade_old(result, place)
    _upgrade_holes(result, lambda index: place(written, index))
    _upgrade_inputs(result, place, keep_shapeless_inputs)
    _upgrade_batch_norm(result.param)
    return result


def _line(place: str) -> tuple[int, ...]:
    return tuple(int(part) for part in place.strip(": ").split(":")[-2:] if part.isdecimal())


def _upgrade_old(result: Upgraded, place: Place) -> None:
    net = result.param
    written = len(net.layers)
    if any(layer.HasField("layer") for layer in net.layers):
        net, origins, notes = upgrade_v0(net, lambda index: place("layers", index))
        result.origins = list(origins)
        result.notes += notes
    for old in net.layers:
        move_data_transforms(old)
        new = net.layer.add()
        upgrade_v1_layer(old, new, result.dialect)
        old.Clear()
    del net.layers[:]
    result.param = net
    result.notes.insert(0, f"{result.dialect}: {written} layers {{ }} became {len(net.layer)} layer {{ }}")


def _upgrade_holes(result: Upgraded, place: Callable[[int], str]) -> None:
    holes = 0
    for index, layer in enumerate(result.param.layer):
        if not layer.HasField("convolution_param"):
            continue
        try:
            holes += upgrade_holes(layer.convolution_param)
        except ValueError as error:
            origin = result.origins[index]
            where = place(origin) if origin is not None else ""
            raise PrototxtError(f"{where}layer '{layer.name}' ({layer.type}): {error}.") from None
    if holes:
        result.notes.append(f"hole became dilation in {holes} layer{'s' if holes > 1 else ''}")


def _upgrade_inputs(result: Upgraded, place: Place, keep_shapeless: bool) -> None:
    net = result.param
    if not net.input:
        if net.input_dim or net.input_shape:
            name = "input_dim" if net.input_dim else "input_shape"
            raise PrototxtError(f'{place(name, 0)}{name} without input: name the net\'s inputs, as in input: "data".')
        return
    count = len(net.input)
    if net.input_shape and len(net.input_shape) != count:
        raise PrototxtError(
            f"{place('input_shape', 0)}{count} input but {len(net.input_shape)} input_shape: give one each."
        )
    if not net.input_shape and net.input_dim and len(net.input_dim) != 4 * count:
        raise PrototxtError(
            f"{place('input_dim', 0)}{count} input need {4 * count} input_dim (batch, channels, height, width), "
            f"found {len(net.input_dim)}."
        )
    shaped = bool(net.input_shape or net.input_dim)
    if shaped or keep_shapeless:
        _insert_input_layer(net)
        result.origins.insert(0, None)
    if not shaped and keep_shapeless:
        result.notes.append(f"{place('input', 0)}input without a shape: reshape the blob before the first forward")
    for name in ("input", "input_shape", "input_dim"):
        net.ClearField(name)


def _insert_input_layer(net: Any) -> None:
    layer = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
    if net.input_shape:
        layer.input_param.shape.extend(net.input_shape)
    else:
        for start in range(0, len(net.input_dim), 4):
            layer.input_param.shape.add(dim=net.input_dim[start : start + 4])
    net.layer.insert(0, layer)


def _upgrade_batch_norm(net: Any) -> None:
    """The three stored statistics of a BatchNorm are never learned."""
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            for spec in layer.param:
                spec.lr_mult = 0
                spec.decay_mult = 0


def upgrade_solver(solver: Any, place: Place = lambda field, item: "") -> list[str]:
    """Turn ``solver_type`` of a SolverParameter into ``type``, in place; returns notes.

    Raises
    ------
    PrototxtError
        Both are given.
    """
    if not solver.HasField("solver_type"):
        return []
    if solver.HasField("type"):
        raise PrototxtError(
            f"{place('solver_type', 0)}both type and solver_type are given. Remove solver_type, the old one."
        )
    old = caffe_pb2.SolverParameter.SolverType.Name(solver.solver_type)
    solver.type = _SOLVER_TYPES[old]
    solver.ClearField("solver_type")
    return [f'solver_type: {old} became type: "{solver.type}"']
