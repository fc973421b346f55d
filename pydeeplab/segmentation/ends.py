"""The ends of a net: where a picture goes in, and where the scores come out."""

from __future__ import annotations

from pydeeplab.errors import UsageError
from pydeeplab.net import Net

__all__ = ["find_input", "find_output", "producer_of"]


def find_input(net: Net) -> str:
    """The input that takes a picture: 1 x 3 x H x W or 1 x 1 x H x W."""
    for name in net.inputs:
        shape = net.blobs[name].shape
        if len(shape) == 4 and shape[1] in (1, 3) and shape[2:] != (1, 2):
            return name
    shapes = ", ".join(f"{n} {net.blobs[n].shape}" for n in net.inputs) or "none"
    raise UsageError(f"the net has no input for a picture (1 x 3 x H x W or 1 x 1 x H x W); its inputs: {shapes}")


def find_output(net: Net) -> str:
    """The last output that is a map, one of several channels if there is any."""
    made = {name: i for i, node in enumerate(net.nodes) for name in node.top_names}
    maps = [n for n in net.outputs if len(net.blobs[n].shape) == 4 and net.blobs[n].count]
    maps.sort(key=lambda name: made[name])
    several = [n for n in maps if net.blobs[n].shape[1] > 1]
    if several or maps:
        return (several or maps)[-1]
    shapes = ", ".join(f"{n} {net.blobs[n].shape}" for n in net.outputs) or "none"
    raise UsageError(
        f"no output of the net is a map of scores (1 x C x H x W); its outputs: {shapes}. Name a blob with output="
    )


def producer_of(net: Net, name: str) -> str:
    """The type of the layer that makes a blob; checks that the blob can be a score map."""
    if name not in net.blobs:
        raise UsageError(f"the net keeps no blob '{name}'; its outputs are {', '.join(net.outputs)}")
    shape = net.blobs[name].shape
    producer = [node.layer.type for node in net.nodes if name in node.top_names][-1]
    if len(shape) != 4 or (shape[1] == 1 and producer not in ("ArgMax", "Sigmoid")):
        raise UsageError(
            f"blob '{name}' has shape {shape}: scores have a channel per class (or one, of Sigmoid or ArgMax)"
        )
    return producer
