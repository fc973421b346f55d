"""Parameter: a learned blob as the top of a layer."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Parameter(Layer):
    """The top is blob 0, of shape ``parameter_param.shape``; it begins as zeros."""

    type = "Parameter"
    bottom_count = (0, 0)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.blobs.append(self.new_blob(*self.param.parameter_param.shape.dim))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape_like(self.blobs[0])
        top[0].share_data(self.blobs[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].share_data(self.blobs[0])  # the parameter may have come to share another's memory

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if self.param_propagate_down[0]:
            gradient = self.blobs[0].modify_diff().reshape(-1)
            self.kernels.axpby(top[0].read_diff().reshape(-1), gradient, 1.0, 1.0)
