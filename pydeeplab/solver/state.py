"""What a Caffe snapshot leaves out: random generators, positions in the data, memories of layers. As JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from pydeeplab.errors import DataError
from pydeeplab.net import Net
from pydeeplab.node import Node
from pydeeplab.threads import get_num_threads

__all__ = ["capture", "capture_nets", "decode", "encode", "restore", "restore_nets"]

_ARRAY = "array"


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {_ARRAY: value.reshape(-1).tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(k): _pack(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(v) for v in value]
    return value


def _unpack(value: dict[str, Any]) -> Any:
    if _ARRAY in value:
        return np.array(value[_ARRAY], np.dtype(value["dtype"])).reshape(value["shape"])
    return value


def encode(state: dict[str, Any]) -> str:
    """Text for a state made of dicts, lists, arrays, numbers and strings; floats keep every bit.

    Examples
    --------
    >>> decode(encode({"x": np.array([0.1], np.float32)}))
    {'x': array([0.1], dtype=float32)}
    """
    return json.dumps(_pack(state))


def decode(text: str) -> Any:
    """The inverse of `encode`."""
    return json.loads(text, object_hook=_unpack)


def _stateful(net: Net) -> list[Node]:
    """The layers that remember something from one forward to the next: they have a settable property ``state``."""
    kinds = ((node, getattr(type(node.layer), "state", None)) for node in net.nodes)
    return [node for node, kind in kinds if isinstance(kind, property) and kind.fset is not None]


def _generator(net: Net) -> np.random.Generator | None:
    return net.nodes[0].layer.context.random if net.nodes else None


def capture(net: Net) -> dict[str, Any]:
    """All of a net that is neither parameter nor blob and will matter in the next iteration."""
    random = _generator(net)
    layers = [[node.name, node.layer.state] for node in _stateful(net)]  # type: ignore[attr-defined]
    return {"random": random.bit_generator.state if random else None, "layers": layers}


def restore(net: Net, saved: dict[str, Any]) -> list[str]:
    """Put back what `capture` gave; returns notes on what did not fit, such as a data set of another length."""
    notes = []
    random = _generator(net)
    if random and saved["random"]:
        random.bit_generator.state = saved["random"]
    waiting = _stateful(net)
    for name, state in saved["layers"]:
        node = next((n for n in waiting if n.name == name), None)
        if node is None:
            notes.append(f"layer '{name}', whose state was saved, is no longer in the net")
            continue
        waiting.remove(node)
        try:
            node.layer.state = state  # type: ignore[attr-defined]
        except (DataError, KeyError, TypeError, ValueError) as error:
            notes.append(f"layer '{name}' begins anew: its saved state does not fit ({error})")
    notes += [f"layer '{node.name}' begins anew: no state of it was saved" for node in waiting]
    return notes


def capture_nets(train: Net, tests: Sequence[Net]) -> dict[str, Any]:
    """What `capture` gives of all nets of a solver, and the number of threads, which sums depend on."""
    return {"threads": get_num_threads(), "train": capture(train), "test": [capture(net) for net in tests]}


def restore_nets(train: Net, tests: Sequence[Net], saved: dict[str, Any]) -> list[str]:
    """Put back what `capture_nets` gave; returns notes on why the run may differ from one that was never stopped."""
    notes = restore(train, saved["train"])
    for net, state in zip(tests, saved["test"], strict=False):
        notes += restore(net, state)
    if saved["threads"] != get_num_threads():
        notes.append(
            f"the snapshot was made with {saved['threads']} threads, this run has {get_num_threads()}: sums may differ "
            "in their last bits"
        )
    return notes
