"""ReLU: y = max(x, 0) + negative_slope * min(x, 0)."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class ReLU(Layer):
    """Rectified linear unit, leaky with ``relu_param.negative_slope``."""

    type = "ReLU"
    repeatable = True
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.slope = float(self.param.relu_param.negative_slope)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape_like(bottom[0])

    def backward_reads(self) -> tuple[bool, bool]:
        return True, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.kernels.relu_forward(bottom[0].read().reshape(-1), top[0].write().reshape(-1), self.slope)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.kernels.relu_backward(
                bottom[0].read().reshape(-1),
                top[0].read_diff().reshape(-1),
                bottom[0].write_diff().reshape(-1),
                self.slope,
            )
