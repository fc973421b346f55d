"""Which of a prototxt's layers a net has, and with which input shapes: phase, level and stages decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.proto import NetSource, caffe_pb2
from pydeeplab.wiring import check_names

__all__ = ["source_in_state"]


def source_in_state(
    source: NetSource,
    phase: int,
    level: int = 0,
    stages: Sequence[str] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
) -> NetSource:
    """The layers that a state includes, with a Split behind each blob that several of them read.

    Parameters
    ----------
    source : NetSource
        It is not changed. A level, and stages, of its own count unless others are given.
    phase, level, stages, inputs
        As for `pydeeplab.Net`.

    Raises
    ------
    UsageError
        There is no such phase, level or input, or a shape is no list of whole numbers.
    PrototxtError
        A bottom is no earlier layer's top, or two layers make the same blob.
    """
    if phase not in (TRAIN, TEST):
        raise UsageError(f"phase must be TRAIN ({TRAIN}) or TEST ({TEST}), got {phase!r}")
    if not -(2**31) <= level < 2**31:
        raise UsageError(f"level must fit into 32 bits, got {level}")
    state = caffe_pb2.NetState()
    state.CopyFrom(source.param.state)
    state.phase = phase
    state.level = level or state.level
    state.stage.extend([stages] if isinstance(stages, str) else stages or ())
    filtered = source.filtered(state)
    if inputs:
        _override_inputs(filtered.param, inputs)
    check_names(filtered)
    return filtered.with_splits()


def _override_inputs(param: Any, inputs: Mapping[str, Sequence[int]]) -> None:
    """Replace the shapes of Input layers' tops."""
    left = dict(inputs)
    for layer in param.layer:
        if layer.type != "Input":
            continue
        given = [list(shape.dim) for shape in layer.input_param.shape] or [[]]
        shapes = given * len(layer.top) if len(given) == 1 else given
        if len(shapes) != len(layer.top):
            continue  # the layer itself says what is wrong
        del layer.input_param.shape[:]
        for top, shape in zip(layer.top, shapes, strict=True):
            wanted = left.pop(top, shape)
            try:
                layer.input_param.shape.add().dim.extend(int(d) for d in wanted)
            except (TypeError, ValueError):
                raise UsageError(f"the shape of input '{top}' must be whole numbers, got {wanted!r}") from None
    if left:
        raise UsageError(f"the net has no input '{next(iter(left))}'")
