"""SpatialProduct: every channel times one map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class SpatialProduct(Layer):
    """y[n, c] = x[n, c] m[n, 0] for x of N x C x H x W and m of N x 1 x H x W.

    Source: DeepLab SpatialProduct.
    """

    type = "SpatialProduct"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, m = bottom[0].shape, bottom[1].shape
        if len(x) != 4 or m != (x[0], 1, *x[2:]):
            raise self.shape_error(f"needs N x C x H x W and N x 1 x H x W of the same size, got {x} and {m}")
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(bottom[0].data, bottom[1].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, bottom[1].data, out=bottom[0].diff)
        if propagate_down[1]:
            np.einsum("nchw,nchw->nhw", top[0].diff, bottom[0].data, out=bottom[1].diff[:, 0])
