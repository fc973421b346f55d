"""PReLU: y = max(x, 0) + slope * min(x, 0) with a learned slope per channel."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import BottomCopy, channel_shape
from pydeeplab.proto import caffe_pb2


@register
class PReLU(Layer):
    """Parametric rectified linear unit.

    Blob 0 holds the slopes: shape (C,), or () with ``prelu_param.channel_shared``; filled with 0.25 unless
    ``prelu_param.filler`` says otherwise. In place the bottom is kept for the gradient.

    Source: Caffe PReLU; He et al. 2015, "Delving deep into rectifiers".
    """

    type = "PReLU"
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2:
            raise self.shape_error(f"the bottom needs a channel axis (N x C x ...), got shape {bottom[0].shape}")
        param = self.param.prelu_param
        self._shared = bool(param.channel_shared)
        self.blobs.append(self.new_blob(*(() if self._shared else bottom[0].shape[1:2])))
        filler = param.filler if param.HasField("filler") else caffe_pb2.FillerParameter(type="constant", value=0.25)
        fill(self.blobs[0], filler, self.context.random)
        self._x = BottomCopy(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._shared and bottom[0].shape[1:2] != self.blobs[0].shape:
            raise self.shape_error(f"has {self.blobs[0].count} slopes, but the bottom has shape {bottom[0].shape}")
        top[0].reshape_like(bottom[0])
        self._shape = (1, 1, bottom[0].count) if self._shared else channel_shape(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0])
        slope = self.blobs[0].read().reshape(-1)
        self.kernels.prelu_forward(bottom[0].read().reshape(self._shape), slope, top[0].write().reshape(self._shape))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x = self._x.of(bottom[0]).read().reshape(self._shape)
        dy = top[0].read_diff().reshape(self._shape)
        if self.param_propagate_down[0]:
            self.kernels.prelu_slope_gradient(x, dy, self.blobs[0].modify_diff().reshape(-1))
        if propagate_down[0]:
            slope = self.blobs[0].read().reshape(-1)
            self.kernels.prelu_backward(x, dy, slope, bottom[0].write_diff().reshape(self._shape))
