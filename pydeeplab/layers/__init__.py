"""The layers: one module per type, or per family where the family shares its arithmetic.

Beside its modules this package has what pycaffe's ``caffe.layers`` has: ``layers.Convolution(bottom, ...)`` makes a
layer of a `pydeeplab.net_spec.NetSpec`.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if not name[:1].isupper():
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from pydeeplab.net_spec import layers

    return getattr(layers, name)
