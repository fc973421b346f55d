"""BatchNorm: every channel to mean 0 and variance 1, without learned scale and shift."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import TEST, Layer, register
from pydeeplab.layers._memory import BottomCopy, channel_shape


@register
class BatchNorm(Layer):
    """y = (x - mean) / sqrt(variance + eps) per channel.

    Statistics are those of the batch, or with ``use_global_stats`` (unless given: in TEST) the stored ones. Blobs: sums
    of means (C), of variances (C), and of their weights (1); the stored mean is blob 0 over blob 2. Each pass with
    batch statistics decays all three by ``moving_average_fraction`` and adds the mean, the variance (times m / (m - 1)
    for m values per channel) and 1. They are not learned: their lr_mult is set to 0.

    The ``update_global_stats`` of DeepLab v2 has no effect; where that code's batch mode is faulty, this one follows
    BVLC Caffe.

    Raises
    ------
    LayerError
        A ``param`` with a learning rate.

    Source: Caffe BatchNorm; Ioffe and Szegedy 2015.
    """

    type = "BatchNorm"
    repeatable = True
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.batch_norm_param
        self._global = bool(param.use_global_stats) if param.HasField("use_global_stats") else self.phase == TEST
        self._decay, self._eps = float(param.moving_average_fraction), float(param.eps)
        channels = self._channels(bottom[0])
        self.blobs += [self.new_blob(channels), self.new_blob(channels), self.new_blob(1)]
        self._mean, self._variance = self.new_blob(channels), self.new_blob(channels)
        self._x = BottomCopy(self)
        self._freeze()

    def _freeze(self) -> None:
        specs = self.param.param
        for i in range(len(self.blobs)):
            if i == len(specs):
                specs.add(lr_mult=0)
            elif specs[i].lr_mult != 0:
                raise self.error(
                    f"its statistics are not learned: param {i} must have lr_mult 0, got {specs[i].lr_mult:g} "
                    "(leave the param entries out; learned scale and shift are a Scale layer's)"
                )

    @staticmethod
    def _channels(blob: Blob) -> int:
        return blob.shape[1] if len(blob.shape) > 1 else 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._channels(bottom[0]) != self._mean.count:
            raise self.shape_error(f"has statistics for {self._mean.count} channels; the bottom is {bottom[0].shape}")
        top[0].reshape_like(bottom[0])
        self._shape = channel_shape(bottom[0]) if len(bottom[0].shape) > 1 else (1, 1, bottom[0].count)

    def backward_reads(self) -> tuple[bool, bool]:
        return not self._global, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0], needed=not self._global)
        if self._global:
            self._load_statistics()
        elif not self.repeating:
            self._measure(bottom[0])
        x, y = bottom[0].read().reshape(self._shape), top[0].write().reshape(self._shape)
        mean, variance = self._mean.read(), self._variance.read()
        self.kernels.channel_normalize_forward(x, mean, variance, None, None, y, self._eps)

    def _load_statistics(self) -> None:
        weight = float(self.blobs[2].data[0])
        factor = 1 / weight if weight else 0.0
        self.kernels.axpby(self.blobs[0].read(), self._mean.write(), factor, 0.0)
        self.kernels.axpby(self.blobs[1].read(), self._variance.write(), factor, 0.0)

    def _measure(self, bottom: Blob) -> None:
        x = bottom.read().reshape(self._shape)
        self.kernels.channel_statistics(x, self._mean.write(), self._variance.write())
        values = self._shape[0] * self._shape[2]
        unbiased = values / (values - 1) if values > 1 else 1.0
        weight = self.blobs[2].data
        weight[...] = weight * self._decay + 1
        self.kernels.axpby(self._mean.read(), self.blobs[0].modify(), 1.0, self._decay)
        self.kernels.axpby(self._variance.read(), self.blobs[1].modify(), unbiased, self._decay)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dy = top[0].read_diff().reshape(self._shape)
        x = dy if self._global else self._x.of(bottom[0]).read().reshape(self._shape)  # global: x does not matter
        dx = bottom[0].write_diff().reshape(self._shape)
        mean, variance = self._mean.read(), self._variance.read()
        self.kernels.channel_normalize_backward(
            x, dy, mean, variance, None, dx, None, None, self._eps, not self._global
        )
