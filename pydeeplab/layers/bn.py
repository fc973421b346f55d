"""BN: batch normalisation with learned scale and shift, of SegNet and ENet, and of PSPNet."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import TEST, Layer, register
from pydeeplab.layers._memory import BottomCopy, channel_shape

SEGNET_EPS = 1e-9
PSPNET_FIELDS = ("slope_filler", "bias_filler", "momentum", "eps", "frozen", "engine")
SEGNET_FIELDS = ("scale_filler", "shift_filler", "bn_mode")


@register
class BN(Layer):
    """y = scale * (x - mean) / sqrt(variance + eps) + shift per channel; two layers of one name.

    *SegNet, ENet, DeconvNet* (``scale_filler``, ``shift_filler``, ``bn_mode``): blobs scale and shift, both
    (1, C, 1, 1). ``bn_mode: LEARN`` normalises with the batch's statistics in both phases, eps 1e-9; optional tops 1
    and 2 receive mean and variance. ``INFERENCE`` is y = scale * x + shift, for weights into which the statistics have
    been folded.

    *PSPNet* (``slope_filler``, ``bias_filler``, ``momentum``, ``eps``, ``frozen``): blobs slope, bias, mean and
    variance, all (1, C, 1, 1). In TRAIN the batch's statistics, which also enter the stored ones (momentum times the
    old plus 1 - momentum times the new, biased, variance); in TEST, or with ``frozen``, the stored ones. The lr_mult of
    the statistics is 0, and with ``frozen`` that of slope and bias too.

    Which one it is follows from the fields of ``bn_param``; where they leave it open, four ``param`` entries mean
    PSPNet's. Parameter gradients accumulate in both (SegNet's Caffe overwrites them).

    Source: BN of the Caffe forks of SegNet and PSPNet.
    """

    type = "BN"
    top_count = (1, 3)
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.bn_param
        self._pspnet = self._is_pspnet()
        if self._pspnet and len(top) > 1:
            raise self.error("only SegNet's BN has tops for mean and variance; remove them")
        shape = (1, channel_shape(bottom[0])[1], 1, 1)
        self.blobs += [self.new_blob(*shape) for _ in range(4 if self._pspnet else 2)]
        fillers = (param.slope_filler, param.bias_filler) if self._pspnet else (param.scale_filler, param.shift_filler)
        for blob, filler in zip(self.blobs, fillers, strict=False):
            fill(blob, filler, self.context.random)
        self._eps = float(param.eps) if self._pspnet else SEGNET_EPS
        self._momentum = float(param.momentum)
        self._affine = not self._pspnet and param.bn_mode == param.INFERENCE
        self._frozen = self._pspnet and bool(param.frozen)
        self._stored = self._pspnet and (self._frozen or self.phase == TEST)
        if self._pspnet:
            self._freeze()
        if self._frozen:
            self.blobs[3].data[...] = 1
        self._mean, self._variance = self.new_blob(shape[1]), self.new_blob(shape[1])
        self._x = BottomCopy(self)

    def _is_pspnet(self) -> bool:
        given = {field.name for field, _ in self.param.bn_param.ListFields()}
        if given & set(PSPNET_FIELDS) and given & set(SEGNET_FIELDS):
            raise self.error(f"bn_param mixes the fields of two layers: {', '.join(sorted(given))}; keep those of one")
        return bool(given & set(PSPNET_FIELDS)) or (not given and len(self.param.param) == 4)

    def _freeze(self) -> None:
        specs = self.param.param
        while len(specs) < 4:
            specs.add()
        for spec in specs if self._frozen else specs[2:]:
            spec.lr_mult = spec.decay_mult = 0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._shape = channel_shape(bottom[0])
        if self._shape[1] != self._mean.count:
            raise self.shape_error(f"has parameters for {self._mean.count} channels; the bottom is {bottom[0].shape}")
        top[0].reshape_like(bottom[0])
        for blob in top[1:]:
            blob.reshape(1, self._shape[1], 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        constant = self._affine or self._stored
        self._x.save(bottom[0], top[0], needed=not constant or self.param_propagate_down[0])
        x = bottom[0].read().reshape(self._shape)
        scale, shift = self.blobs[0].read().reshape(-1), self.blobs[1].read().reshape(-1)
        if self._affine:
            self.kernels.channel_affine_forward(x, top[0].write().reshape(self._shape), scale, shift, 0.0, False)
            return
        if self._stored:
            self.kernels.axpby(self.blobs[2].read().reshape(-1), self._mean.write(), 1.0, 0.0)
            self.kernels.axpby(self.blobs[3].read().reshape(-1), self._variance.write(), 1.0, 0.0)
        else:
            self.kernels.channel_statistics(x, self._mean.write(), self._variance.write())
            self._record(top)
        self.kernels.channel_normalize_forward(
            x,
            self._mean.read(),
            self._variance.read(),
            scale,
            shift,
            top[0].write().reshape(self._shape),
            self._eps,
        )

    def _record(self, top: Sequence[Blob]) -> None:
        statistics = self._mean.read(), self._variance.read()
        for value, blob in zip(statistics, top[1:], strict=False):
            self.kernels.axpby(value, blob.write().reshape(-1), 1.0, 0.0)
        for value, blob in zip(statistics, self.blobs[2:], strict=False):
            self.kernels.axpby(value, blob.modify().reshape(-1), 1 - self._momentum, self._momentum)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].read_diff().reshape(self._shape)
        scale = self.blobs[0].read().reshape(-1)
        dscale, dshift = (
            blob.modify_diff().reshape(-1) if wanted else None
            for blob, wanted in zip(self.blobs[:2], self.param_propagate_down[:2], strict=True)
        )
        x = self._x.of(bottom[0]).read().reshape(self._shape)
        dx = bottom[0].write_diff().reshape(self._shape) if propagate_down[0] else None
        if self._affine:
            if dscale is not None:
                self.kernels.channel_scale_gradient(x, dy, dscale)
            if dshift is not None:
                self.kernels.channel_bias_gradient(dy, dshift)
            if dx is not None:
                self.kernels.channel_affine_forward(dy, dx, scale, None, 0.0, False)
            return
        mean, variance = self._mean.read(), self._variance.read()
        self.kernels.channel_normalize_backward(
            x, dy, mean, variance, scale, dx, dscale, dshift, self._eps, not self._stored
        )
