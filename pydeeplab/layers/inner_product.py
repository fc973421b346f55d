"""InnerProduct: the fully connected layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import ShapeError
from pydeeplab.layer import Layer, register
from pydeeplab.layers._weights import add_weights


@register
class InnerProduct(Layer):
    """y = x w^T + b over the axes from ``axis`` on, which become one axis of num_output.

    Weights are [num_output, inputs], with ``transpose`` [inputs, num_output]; the bias [num_output].

    Source: Caffe InnerProduct.
    """

    type = "InnerProduct"
    repeatable = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.inner_product_param
        self._outputs, self._transpose = int(param.num_output), bool(param.transpose)
        if self._outputs < 1:
            raise self.error("num_output must be at least 1")
        try:
            self._axis = bottom[0].axis(param.axis)
        except ShapeError as error:
            raise self.shape_error(f"inner_product_param.axis: {error}") from None
        self._inputs = math.prod(bottom[0].shape[self._axis :])
        shape = (self._inputs, self._outputs) if self._transpose else (self._outputs, self._inputs)
        add_weights(self, param, shape, self._outputs)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        inputs = math.prod(shape[self._axis :])
        if len(shape) <= self._axis or inputs != self._inputs:
            raise self.shape_error(
                f"the weights are for {self._inputs} inputs, but a bottom of shape {shape} has {inputs} from axis "
                f"{self._axis} on. A fully connected layer works at one input size only: use that size, or a "
                "Convolution with the bottom's size as kernel_size."
            )
        self._batch = math.prod(shape[: self._axis])
        top[0].reshape(*shape[: self._axis], self._outputs)

    def _rows(self, x: NDArray[Any]) -> NDArray[Any]:
        return x.reshape(self._batch, self._inputs)

    def _results(self, y: NDArray[Any]) -> NDArray[Any]:
        return y.reshape(self._batch, self._outputs)

    def backward_reads(self) -> tuple[bool, bool]:
        return True, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = self.blobs[1].read() if len(self.blobs) > 1 else None
        x, y = self._rows(bottom[0].read()), self._results(top[0].write())
        self.kernels.inner_product_forward(x, self.blobs[0].read(), bias, y, self._transpose)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = self._results(top[0].read_diff())
        if self.param_propagate_down[0]:
            x = self._rows(bottom[0].read())
            self.kernels.inner_product_backward_weights(x, dy, self.blobs[0].modify_diff(), self._transpose)
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            self.kernels.conv_backward_bias(dy.reshape(*dy.shape, 1), self.blobs[1].modify_diff())
        if propagate_down[0]:
            dx = self._rows(bottom[0].write_diff())
            self.kernels.inner_product_backward_data(dy, self.blobs[0].read(), dx, self._transpose)

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return self._batch * self._inputs * self._outputs
