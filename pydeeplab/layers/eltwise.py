"""Eltwise: sum, product or maximum of blobs of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Eltwise(Layer):
    """Combines two or more bottoms of equal shape element by element.

    ``eltwise_param.operation``: SUM (with one ``coeff`` per bottom, or none), PROD, MAX. The gradient of PROD is the
    product of the other bottoms, or with ``stable_prod_grad: false`` the cheaper y / x. MAX gives its gradient to the
    winner; on a tie that is the later bottom, the rule of Caffe's GPU code (its CPU code agrees for two bottoms).

    Raises
    ------
    LayerError
        Coefficients with PROD, or another number of them than bottoms.
    ShapeError
        Bottoms of different shapes.
    """

    type = "Eltwise"
    repeatable = True
    bottom_count = (2, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.eltwise_param
        self._sum = param.operation == param.SUM
        self._max = param.operation == param.MAX
        self._stable = bool(param.stable_prod_grad)
        if param.coeff and not self._sum and not self._max:
            raise self.error("takes coefficients (coeff) for SUM only; remove them")
        if param.coeff and len(param.coeff) != len(bottom):
            raise self.error(f"has {len(bottom)} bottoms but {len(param.coeff)} coefficients; give each one, or none")
        self._coefficients = [float(c) for c in param.coeff] or [1.0] * len(bottom)
        self._winner: NDArray[Any] = self.context.backend.empty(0, np.dtype(np.int32))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom):
            if blob.shape != bottom[0].shape:
                raise self.shape_error(
                    f"bottoms must have one shape; bottom 0 is {bottom[0].shape}, bottom {i} is {blob.shape}"
                )
        top[0].reshape_like(bottom[0])
        if self._max and self._winner.size != bottom[0].count:
            self._winner = self.context.backend.empty(bottom[0].count, np.dtype(np.int32))

    def backward_reads(self) -> tuple[bool, bool]:
        return (False, False) if self._sum or self._max else (True, True)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._sum:
            self.forward_sum(bottom, top[0])
            return
        x = [blob.read().reshape(-1) for blob in bottom]
        y = top[0].write().reshape(-1)
        so_far = x[0]
        for index, values in enumerate(x[1:], 1):
            if self._max:
                self.kernels.eltwise_max_forward(so_far, values, y, self._winner, index)
            else:
                self.kernels.eltwise_multiply_forward(so_far, values, y)
            so_far = y

    def forward_sum(self, bottom: Sequence[Blob], top: Blob, *, relu: bool = False) -> None:
        """Forward of a SUM; with ``relu`` also the ReLU behind it, in the same pass."""
        x = [blob.read().reshape(-1) for blob in bottom]
        y = top.write().reshape(-1)
        so_far, factor, last = x[0], self._coefficients[0], len(x) - 1
        for i, (values, coefficient) in enumerate(zip(x[1:], self._coefficients[1:], strict=True), 1):
            self.kernels.eltwise_add_forward(so_far, values, y, factor, coefficient, relu and i == last)
            so_far, factor = y, 1.0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].read_diff().reshape(-1)
        for i, blob in enumerate(bottom):
            if not propagate_down[i]:
                continue
            dx = blob.write_diff().reshape(-1)
            if self._sum:
                self.kernels.axpby(dy, dx, self._coefficients[i], 0.0)
            elif self._max:
                self.kernels.eltwise_max_backward(self._winner, dy, dx, i)
            elif self._stable:
                others = [b.read().reshape(-1) for j, b in enumerate(bottom) if j != i]
                product = dy
                for values in others:
                    self.kernels.eltwise_multiply_forward(product, values, dx)
                    product = dx
            else:
                self.kernels.eltwise_ratio_backward(top[0].read().reshape(-1), blob.read().reshape(-1), dy, dx)
