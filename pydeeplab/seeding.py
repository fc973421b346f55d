"""Random parameters and inputs that keep a net's activations ordinary, for measuring nets that have no weights.

Numbers that shrink from layer to layer become denormal, which CPUs compute several times slower; numbers that grow
overflow. Both would make a measurement meaningless.
"""

from __future__ import annotations

import numpy as np

from pydeeplab.errors import UsageError
from pydeeplab.net import Net

__all__ = ["seed_inputs", "seed_params"]


def seed_params(net: Net, seed: int = 0, *, only: set[str] | None = None) -> None:
    """Fill parameters: weights normal with variance 2 / fan-in, statistics and scales those of the identity.

    Parameters
    ----------
    net
        Its parameters are overwritten.
    seed
        Determines all values.
    only
        Names of the layers to fill; by default all.
    """
    random = np.random.default_rng(seed)
    for node in net.nodes:
        blobs = node.layer.blobs
        if not blobs or (only is not None and node.name not in only):
            continue
        if node.layer.type == "BatchNorm":
            blobs[0].data[...], blobs[1].data[...], blobs[2].data[...] = 0, 1, 1
        elif len(blobs[0].shape) < 2:
            blobs[0].data[...] = 1
        else:
            weights = blobs[0]
            spread = np.sqrt(2 / max(1, weights.count // weights.shape[0]))
            weights.data[...] = random.standard_normal(weights.shape, np.float32) * spread
        for blob in blobs[1:] if node.layer.type != "BatchNorm" else ():
            blob.data[...] = 0


def seed_inputs(net: Net, seed: int = 0) -> None:
    """Fill the inputs: labels (one channel, or one axis) with zeros, everything else standard normal times 50."""
    if seed < 0:
        raise UsageError(f"a seed must not be negative, got {seed}")
    random = np.random.default_rng(seed)
    for name in net.inputs:
        blob = net.blobs[name]
        is_label = "label" in name or len(blob.shape) < 2
        blob.data[...] = 0 if is_label else 50 * random.standard_normal(blob.shape, np.float32)
