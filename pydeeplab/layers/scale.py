"""Scale and Bias: multiplying and shifting by values that span some axes of the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import BottomCopy, channel_shape, copy_diff
from pydeeplab.proto import caffe_pb2


class _Broadcast(Layer):
    """Where the factors or terms come from (blob 0 or bottom 1) and which axes of bottom 0 they span."""

    bottom_count = (1, 2)
    in_place = True

    def _param(self) -> Any:
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) == 1:
            self.blobs.append(self.new_blob(*self._learned_shape(bottom[0].shape)))

    def _first_axis(self, shape: tuple[int, ...]) -> int:
        axis = self._param().axis
        if not -len(shape) <= axis < len(shape):
            raise self.shape_error(f"axis {axis} is out of range for a bottom of shape {shape}")
        return int(axis) % len(shape)

    def _learned_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        count = self._param().num_axes
        first = self._first_axis(shape) if count else 0
        if count < -1 or first + count > len(shape):
            raise self.shape_error(f"num_axes {count} from axis {self._param().axis} is out of range for shape {shape}")
        return shape[first:] if count == -1 else shape[first : first + count]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        span = (bottom[1] if len(bottom) > 1 else self.blobs[0]).shape
        first = self._first_axis(bottom[0].shape) if span else 0
        if bottom[0].shape[first : first + len(span)] != span:
            which = "bottom 1" if len(bottom) > 1 else "blob 0"
            raise self.shape_error(
                f"{which} has shape {span}, which must be the axes of bottom 0 {bottom[0].shape} from axis {first} on"
            )
        top[0].reshape_like(bottom[0])
        self._shape = channel_shape(bottom[0], first, len(span))


@register
class Scale(_Broadcast):
    """y = x * scale (+ bias), where scale spans ``num_axes`` axes of the bottom from ``axis`` on.

    With one bottom the scale is blob 0, filled with 1 unless ``scale_param.filler`` says otherwise; with two it is
    bottom 1. ``bias_term`` adds a learned bias of the same shape as the last blob (``bias_filler``, 0 unless given).
    ``num_axes`` -1 means to the last axis, 0 a single number. In place the bottom is kept where the gradient of the
    scale needs it.
    """

    type = "Scale"
    repeatable = True

    def _param(self) -> Any:
        return self.param.scale_param

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self._param()
        if self.blobs:
            filler = param.filler if param.HasField("filler") else caffe_pb2.FillerParameter(type="constant", value=1)
            fill(self.blobs[0], filler, self.context.random)
        self._bias: Blob | None = None
        if param.bias_term:
            self._bias = self.new_blob(*(self.blobs[0] if self.blobs else bottom[1]).shape)
            fill(self._bias, param.bias_filler, self.context.random)
            self.blobs.append(self._bias)
        self._x = BottomCopy(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self._bias is not None and self._bias.count != self._shape[1]:
            raise self.shape_error(f"the bias has shape {self._bias.shape}, but bottom 1 {bottom[1].shape}")

    def _scale(self, bottom: Sequence[Blob]) -> Blob:
        return bottom[1] if len(bottom) > 1 else self.blobs[0]

    def backward_reads(self) -> tuple[bool, bool]:
        return len(self.param.bottom) > 1 or self.param_propagate_down[0], False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0], needed=len(bottom) > 1 or self.param_propagate_down[0])
        scale = self._scale(bottom).read().reshape(-1)
        bias = None if self._bias is None else self._bias.read().reshape(-1)
        x, y = bottom[0].read().reshape(self._shape), top[0].write().reshape(self._shape)
        self.kernels.channel_affine_forward(x, y, scale, bias, 0.0, False)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].read_diff().reshape(self._shape)
        scale = self._scale(bottom)
        if self._bias is not None and self.param_propagate_down[-1]:
            self.kernels.channel_bias_gradient(dy, self._bias.modify_diff().reshape(-1))
        learned = len(bottom) == 1
        if self.param_propagate_down[0] if learned else propagate_down[1]:
            gradient = scale.modify_diff().reshape(-1)
            if not learned:
                self.kernels.fill(gradient, 0.0)
            self.kernels.channel_scale_gradient(self._x.of(bottom[0]).read().reshape(self._shape), dy, gradient)
        if propagate_down[0]:
            dx = bottom[0].write_diff().reshape(self._shape)
            self.kernels.channel_affine_forward(dy, dx, scale.read().reshape(-1), None, 0.0, False)


@register
class Bias(_Broadcast):
    """y = x + bias, where bias spans ``num_axes`` axes of the bottom from ``axis`` on.

    With one bottom the bias is blob 0 (``bias_param.filler``, 0 unless given), with two it is bottom 1.
    """

    type = "Bias"
    repeatable = True

    def _param(self) -> Any:
        return self.param.bias_param

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.blobs:
            fill(self.blobs[0], self._param().filler, self.context.random)

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = (bottom[1] if len(bottom) > 1 else self.blobs[0]).read().reshape(-1)
        x, y = bottom[0].read().reshape(self._shape), top[0].write().reshape(self._shape)
        self.kernels.channel_affine_forward(x, y, None, bias, 0.0, False)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].read_diff().reshape(self._shape)
        if len(bottom) > 1 and propagate_down[1]:
            gradient = bottom[1].write_diff().reshape(-1)
            self.kernels.fill(gradient, 0.0)
            self.kernels.channel_bias_gradient(dy, gradient)
        if len(bottom) == 1 and self.param_propagate_down[0]:
            self.kernels.channel_bias_gradient(dy, self.blobs[0].modify_diff().reshape(-1))
        if propagate_down[0]:
            copy_diff(self, top[0], bottom[0])
