"""The nets with few channels in every layer but the classifiers: the same wiring, cheap to run."""

from __future__ import annotations

from typing import Any

from pydeeplab.analysis import without_data_layers
from pydeeplab.net import Net
from pydeeplab.networks import find
from pydeeplab.proto import read_net
from pydeeplab.randomness import set_random_seed
from tests.networks.facts import DEFINES


def thin_net(name: str, kind: str, size: tuple[int, int], *, phase: int, channels: int = 4, **options: Any) -> Net:
    """Build one; its weights are random, the same each time."""
    set_random_seed(1)
    source = without_data_layers(read_net(find(name, kind), defines=DEFINES), image_size=size)
    for layer in source.param.layer:
        if layer.type == "Convolution":
            param = layer.convolution_param
            if not layer.name.startswith(("fc1_", "fc8_")) and not layer.name.endswith("_ms"):
                param.num_output = channels
            param.weight_filler.type = "msra"
            param.bias_filler.type = "constant"
        elif layer.type == "Input":
            for shape in layer.input_param.shape:
                shape.dim[0] = 1
    net = Net.from_source(source, phase, **options)
    for node in net.nodes:
        if node.layer.type == "BatchNorm":
            node.layer.blobs[1].data[...] = 1
            node.layer.blobs[2].data[...] = 1
    return net
