"""Normalize: features to unit length, then a learned scale (SSD, ParseNet)."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import channel_shape
from pydeeplab.proto import caffe_pb2


@register
class Normalize(Layer):
    """y = scale * x / norm with norm = sqrt(eps + sum of x^2).

    ``norm_param.across_spatial`` (default): one norm for each item; otherwise one for each position, over the
    channels. Blob 0 is the scale: one number with ``channel_shared`` (default), otherwise one per channel; filled
    with 1 unless ``scale_filler`` says otherwise.

    Source: Normalize of SSD's Caffe; Liu et al. 2015, "ParseNet".
    """

    type = "Normalize"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2:
            raise self.shape_error(f"the bottom needs a channel axis (N x C x ...), got shape {bottom[0].shape}")
        param = self.param.norm_param
        self._eps = float(param.eps)
        self._shared = bool(param.channel_shared)
        self.blobs.append(self.new_blob(*(() if self._shared else bottom[0].shape[1:2])))
        constant = caffe_pb2.FillerParameter(type="constant", value=1)
        fill(self.blobs[0], param.scale_filler if param.HasField("scale_filler") else constant, self.context.random)
        self._norm = self.new_blob(0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, channels, positions = channel_shape(bottom[0])
        if not self._shared and channels != self.blobs[0].count:
            raise self.shape_error(f"has {self.blobs[0].count} scales, but the bottom has shape {bottom[0].shape}")
        self._vectors = (items, channels, positions)
        if self.param.norm_param.across_spatial:
            self._vectors = (items, channels * positions, 1)
        self._channels = (1, 1, bottom[0].count) if self._shared else (items, channels, positions)
        self._norm.reshape(items, self._vectors[2])
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].read().reshape(self._vectors), top[0].write()
        self.kernels.l2_normalize_forward(x, y.reshape(self._vectors), self._norm.write(), self._eps)
        y, scale = y.reshape(self._channels), self.blobs[0].read().reshape(-1)
        self.kernels.channel_affine_forward(y, y, scale, None, 0.0, False)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, dy = bottom[0].read().reshape(self._vectors), top[0].read_diff().reshape(self._channels)
        work = self.context.workspace.get(bottom[0].count)
        if self.param_propagate_down[0]:
            self.kernels.l2_normalize_forward(x, work.reshape(self._vectors), self._norm.write(), self._eps)
            self.kernels.channel_scale_gradient(
                work.reshape(self._channels), dy, self.blobs[0].modify_diff().reshape(-1)
            )
        if propagate_down[0]:
            scale = self.blobs[0].read().reshape(-1)
            self.kernels.channel_affine_forward(dy, work.reshape(self._channels), scale, None, 0.0, False)
            dx = bottom[0].write_diff().reshape(self._vectors)
            self.kernels.l2_normalize_backward(x, self._norm.read(), work.reshape(self._vectors), dx)
