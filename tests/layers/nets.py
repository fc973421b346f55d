"""Small nets for the tests of single layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pydeeplab.layer import TEST
from pydeeplab.net import Net


def inputs_text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Input layers, one for each name."""
    return "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: {list(shape)} }} }} }}\n'
        for name, shape in shapes.items()
    )


def net_text(layer: str, **shapes: tuple[int, ...]) -> str:
    """A net of one layer called L that reads all inputs in order; ``layer`` is the rest of its text."""
    bottoms = " ".join(f'bottom: "{n}"' for n in shapes)
    return f'{inputs_text(shapes)}layer {{ name: "L" {bottoms} {layer} }}'


def run(layer: str, arrays: Mapping[str, np.ndarray], phase: int = TEST, **options: object) -> Net:
    """Build the net of one layer, give it its inputs and run it forward."""
    shapes = {n: np.shape(a) for n, a in arrays.items()}
    net = Net.from_text(net_text(layer, **shapes), phase, **options)
    for name, array in arrays.items():
        net.blobs[name].data[...] = array
    net.forward()
    return net
