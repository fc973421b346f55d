"""``debug_info``: mean magnitudes of all blobs, gradients and updates, in Caffe's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.net import Net

__all__ = ["DebugInfo"]


def _mean(array: NDArray[Any]) -> float:
    return float(np.abs(array).mean(dtype=np.float64)) if array.size else 0.0


class DebugInfo:
    """Writes a line per blob and parameter during forward and backward while `active`."""

    def __init__(self, net: Net, write: Callable[[str], None]):
        self.active = False
        self._net = net
        self._write = write
        self._labels = {(p.layer_index, p.blob_index): p.name or str(p.blob_index) for p in net.all_params}
        net.after_forward(self._forward)
        net.after_backward(self._backward)

    def _forward(self, index: int) -> None:
        if not self.active:
            return
        node = self._net.nodes[index]
        for name, blob in zip(node.top_names, node.tops, strict=True):
            self._write(f"    [Forward] Layer {node.name}, top blob {name} data: {_mean(blob.look()):g}")
        for i, blob in enumerate(node.layer.blobs):
            label = self._labels[index, i]
            self._write(f"    [Forward] Layer {node.name}, param blob {label} data: {_mean(blob.look()):g}")

    def _backward(self, index: int) -> None:
        if not self.active:
            return
        node = self._net.nodes[index]
        if node.need_backward:
            for name, blob, wanted in zip(node.bottom_names, node.bottoms, node.propagate_down, strict=True):
                if wanted:
                    self._write(
                        f"    [Backward] Layer {node.name}, bottom blob {name} diff: {_mean(blob.look_diff()):g}"
                    )
            for i, blob in enumerate(node.layer.blobs):
                if node.layer.param_propagate_down[i]:
                    self._write(f"    [Backward] Layer {node.name}, param blob {i} diff: {_mean(blob.look_diff()):g}")
        if index == 0:
            self._norms()

    def _norms(self) -> None:
        params = self._net.learnable_params
        sums = [
            (
                sum(float(np.abs(a).sum(dtype=np.float64)) for a in arrays),
                sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays),
            )
            for arrays in ([p.blob.look() for p in params], [p.blob.look_diff() for p in params])
        ]
        (l1_data, l2_data), (l1_diff, l2_diff) = sums
        self._write(
            f"    [Backward] All net params (data, diff): L1 norm = ({l1_data:g}, {l1_diff:g}); "
            f"L2 norm = ({l2_data**0.5:g}, {l2_diff**0.5:g})"
        )

    def updating(self) -> list[float]:
        """Call before an update: remembers what `updated` will print."""
        return [_mean(p.blob.look()) for p in self._net.all_params] if self.active else []

    def updated(self, before: list[float]) -> None:
        """Write a line per parameter after an update, with the parameter as it was before."""
        params = self._net.all_params
        for param, data in zip(params, before, strict=False):
            diff = _mean(param.blob.look_diff())
            owner = params[param.owner]
            label = param.name or str(param.blob_index)
            if owner is param:
                self._write(f"    [Update] Layer {param.layer.name}, param {label} data: {data:g}; diff: {diff:g}")
            else:
                self._write(
                    f"    [Update] Layer {param.layer.name}, param blob {label} (owned by layer {owner.layer.name}, "
                    f"param {owner.name or owner.blob_index}) diff: {diff:g}"
                )
