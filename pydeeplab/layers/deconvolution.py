"""Deconvolution: the transpose of a convolution, for learned or bilinear upsampling."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import register
from pydeeplab.layers._convolution import ConvolutionBase


@register
class Deconvolution(ConvolutionBase):
    """The adjoint of a convolution with the same parameters, plus a bias.

    Output size per spatial axis: stride (size - 1) + dilation (kernel_size - 1) + 1 - 2 pad. Weights are [channels,
    num_output / group, *kernel_size], the bias [num_output]. Several bottoms share them.

    Source: Caffe Deconvolution; Long et al. 2015 (FCN) for upsampling with it.
    """

    type = "Deconvolution"
    transposed = True

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for x, y in zip(bottom, top, strict=True):
            self._to_image.map_to_image(x.read(), self.blobs[0].read(), self._bias(), y.write())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            self._add_bias_gradient(y)
            if self.param_propagate_down[0]:
                self._to_weights.add_weight_gradient(y.read_diff(), x.read(), self.blobs[0].modify_diff())
            if wanted:
                self._to_map.image_to_map(y.read_diff(), self.blobs[0].read(), None, x.write_diff())
