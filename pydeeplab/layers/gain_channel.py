"""GainChannel: a learned gain for each channel, for pruning channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer, register


@register
class GainChannel(Layer):
    """y_c = g_c x_c with gains of at least ``thresh`` and, unless ``norm_mean`` is false, of mean 1.

    Both are enforced on the parameter in each forward. Its gradient gets ``drift`` added where the gain is not among
    the ``num_output_nz`` largest, Gaussian noise of deviation ``stdev``, and, with ``norm_mean``, its mean removed.

    Source: DeepLab v1 GAIN_CHANNEL.
    """

    type = "GainChannel"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.gain_channel_param
        if len(bottom[0].shape) < 2:
            raise self.shape_error(f"needs a bottom N x C x ..., got shape {bottom[0].shape}")
        channels = bottom[0].shape[1]
        if not 1 <= param.num_output_nz <= channels:
            raise self.error(f"gain_channel_param.num_output_nz must be in 1..{channels}, got {param.num_output_nz}")
        for name in ("drift", "stdev"):
            if getattr(param, name) < 0:
                raise self.error(f"gain_channel_param.{name} must not be negative, got {getattr(param, name):g}")
        if param.thresh <= 0:
            raise self.error(f"gain_channel_param.thresh must be positive, got {param.thresh:g}")
        if not param.HasField("gain_filler"):
            raise self.error("gain_channel_param.gain_filler must be given, such as { value: 1 }")
        self.blobs.append(self.new_blob(1, channels, 1, 1))
        fill(self.blobs[0], param.gain_filler, self.context.random)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape[1:2] != self.blobs[0].shape[1:2]:
            raise self.shape_error(f"has {self.blobs[0].count} gains, got a bottom of shape {bottom[0].shape}")
        top[0].reshape_like(bottom[0])
        self._along = (1, -1, *(1,) * (len(bottom[0].shape) - 2))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        gain = self.blobs[0].data
        np.maximum(gain, self.param.gain_channel_param.thresh, out=gain)
        if self.param.gain_channel_param.norm_mean:
            gain /= gain.mean()
        np.multiply(bottom[0].data, gain.reshape(self._along), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        gain, dy = self.blobs[0].data.reshape(-1), top[0].diff
        if self.param_propagate_down[0]:
            param = self.param.gain_channel_param
            others = tuple(a for a in range(dy.ndim) if a != 1)
            gradient = np.asarray(np.sum(dy * bottom[0].data, axis=others, dtype=np.float64))
            gradient[gain < np.sort(gain)[-param.num_output_nz]] += param.drift
            if param.stdev:
                gradient += self.context.random.normal(0, param.stdev, gradient.shape)
            if param.norm_mean:
                gradient -= gradient.mean()
            self.blobs[0].diff.reshape(-1)[...] += gradient.astype(self.context.dtype)
        if propagate_down[0]:
            np.multiply(dy, gain.reshape(self._along), out=bottom[0].diff)
