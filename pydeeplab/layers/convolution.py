"""Convolution, with holes (atrous) where dilation is more than 1."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Geometry, register
from pydeeplab.layers._convolution import ConvolutionBase


@register
class Convolution(ConvolutionBase):
    """y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, i stride - pad + u dilation, ...].

    Pixels outside the image count as 0; the kernel is not mirrored. Output size per spatial axis:
    floor((size + 2 pad - (dilation (kernel_size - 1) + 1)) / stride) + 1. Weights are [num_output, channels / group,
    *kernel_size], the bias [num_output]. Several bottoms share them.

    Source: Caffe Convolution; Chen et al. 2018 (DeepLab v2), equation 2, for the dilation.
    """

    type = "Convolution"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for x, y in zip(bottom, top, strict=True):
            self._engine.image_to_map(x.read(), self.blobs[0].read(), self._bias(), y.write())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            self._add_bias_gradient(y)
            if self.param_propagate_down[0]:
                self._engine.add_weight_gradient(x.read(), y.read_diff(), self.blobs[0].modify_diff())
            if wanted:
                self._engine.map_to_image(y.read_diff(), self.blobs[0].read(), None, x.write_diff())

    @property
    def geometry(self) -> Geometry | None:
        return self.window.geometry()
