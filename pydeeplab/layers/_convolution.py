"""What Convolution and Deconvolution share: parameters, shapes, and the choice of an engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer
from pydeeplab.layers._convolution_engine import OPERATIONS, Choice, choose_engine, make_engine, prefer_cudnn
from pydeeplab.layers._convolution_problem import Problem
from pydeeplab.layers._weights import add_weights
from pydeeplab.layers.window import Window, channel_axis, read_window, times

__all__ = ["ConvolutionBase"]


class ConvolutionBase(Layer):
    """A linear map between images and maps of window positions, the same at every position.

    ``engine_used`` and ``engine_reason`` say, once the layer has its shapes, how it computes and why.
    """

    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottoms_and_tops = True
    repeatable = True
    transposed: ClassVar[bool] = False
    """Whether the bottoms are on the side of the positions rather than on the side of the image."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.convolution_param
        self._axis = channel_axis(self, bottom[0])
        self._axes = len(bottom[0].shape) - self._axis - 1
        self.window: Window = read_window(self, self._axes)
        self._channels = bottom[0].shape[self._axis]
        self._outputs, self._group = int(param.num_output), int(param.group)
        if self._outputs < 1:
            raise self.error("num_output must be at least 1")
        if self._group < 1:
            raise self.error("group must be at least 1, got 0")
        for what, count in (("the bottom's channels", self._channels), ("num_output", self._outputs)):
            if count % self._group:
                raise self.shape_error(f"{what} must be a multiple of group: got {count} with group {self._group}")
        first, second = (self._channels, self._outputs) if self.transposed else (self._outputs, self._channels)
        add_weights(self, param, (first, second // self._group, *self.window.kernel), self._outputs)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        self._check(bottom)
        given = shape[self._axis + 1 :]
        made = self.window.image(given) if self.transposed else self.window.positions(given)
        if any(n < 1 for n in made):
            raise self.shape_error(self._too_small(given, made))
        for blob in top:
            blob.reshape(*shape[: self._axis], self._outputs, *made)
        image, positions = (made, given) if self.transposed else (given, made)
        channels, outputs = self._channels, self._outputs
        if self.transposed:
            channels, outputs = outputs, channels
        batch = math.prod(shape[: self._axis])
        self._problem = Problem(self.window, batch, channels, outputs, self._group, image, positions)
        self._choices = {operation: self._choose(operation) for operation in OPERATIONS}
        engines = {choice: make_engine(self, self._problem, choice) for choice in self._choices.values()}
        self._to_map, self._to_image, self._to_weights = (engines[self._choices[operation]] for operation in OPERATIONS)

    def _check(self, bottom: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != self._axis + 1 + self._axes:
            raise self.shape_error(f"was set up for {self._axis + 1 + self._axes} axes, got a bottom of shape {shape}")
        if shape[self._axis] != self._channels:
            raise self.shape_error(
                f"the weights are for {self._channels} channels (axis {self._axis}), got a bottom of shape {shape}"
            )
        for i, blob in enumerate(bottom):
            if blob.shape != shape:
                raise self.shape_error(
                    f"all bottoms must have one shape: bottom 0 has {shape}, bottom {i} has {blob.shape}. "
                    "Use a layer of its own for each and share weights by giving their params the same names."
                )

    def _too_small(self, given: tuple[int, ...], made: tuple[int, ...]) -> str:
        window = self.window
        if self.transposed:
            return (
                f"pad {times(window.pad)} removes more than there is: a bottom of {times(given)} would give "
                f"{times(made)}. Use a smaller pad."
            )
        padded = times([n + 2 * p for n, p in zip(given, window.pad, strict=True)])
        return (
            f"the kernel covers {times(window.extent)} pixels (kernel_size {times(window.kernel)}, "
            f"dilation {times(window.dilation)}), but the padded bottom has only {padded} ({times(given)}, "
            f"pad {times(window.pad)}). Use a larger input or pad, or a smaller kernel_size or dilation."
        )

    def _choose(self, operation: str) -> Choice:
        param = self.param.convolution_param
        wish = {param.DEFAULT: self.context.engine, param.CAFFE: "CAFFE"}.get(param.engine, "CUDNN")
        backend = self.context.backend
        choice = choose_engine(wish, self._problem, bool(param.force_nd_im2col), operation, backend.missing)
        return prefer_cudnn(choice, backend) if wish == "CUDNN" else choice

    @property
    def engine_used(self) -> str:
        """How this layer computes its tops at its present shape."""
        return self._forward_choice.name

    @property
    def engine_reason(self) -> str:
        """Why it computes like that."""
        return self._forward_choice.reason

    @property
    def _forward_choice(self) -> Choice:
        return self._choices["backward_data" if self.transposed else "forward"]

    def _bias(self) -> NDArray[Any] | None:
        return self.blobs[1].read() if len(self.blobs) > 1 else None

    def backward_reads(self) -> tuple[bool, bool]:
        return True, False

    def _add_bias_gradient(self, top: Blob) -> None:
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            flat = math.prod(top.shape[: self._axis]), self._outputs, math.prod(top.shape[self._axis + 1 :])
            self.kernels.conv_backward_bias(top.read_diff().reshape(flat), self.blobs[1].modify_diff())

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return len(top) * self._problem.multiply_adds
