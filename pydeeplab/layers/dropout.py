"""Dropout: sets a share of all values to 0 while training."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import TEST, Layer, register
from pydeeplab.layers._memory import copy_data, copy_diff


@register
class Dropout(Layer):
    """In TRAIN each value is set to 0 with probability ``dropout_param.dropout_ratio``, the others are divided by
    1 - ratio; in TEST nothing happens, unless ``sample_weights_test`` (Bayesian SegNet) asks for it.

    The mask is a function of the layer's seed (drawn once from the net's generator) and of the number of the forward
    pass, so it is the same on every backend and for any number of threads, and it is not stored.

    Source: Caffe Dropout; Srivastava et al. 2014.
    """

    type = "Dropout"
    repeatable = True
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.dropout_param
        self._ratio = float(param.dropout_ratio)
        if not 0 <= self._ratio < 1:
            raise self.error(f"dropout_ratio must lie in [0, 1), got {self._ratio:g}")
        self._active = self._ratio > 0 and (self.phase != TEST or bool(param.sample_weights_test))
        self._seed = int(self.context.random.integers(2**63 - 1))
        self._passes = 0

    @property
    def state(self) -> dict[str, int]:
        """What determines the masks to come; can be put back: ``layer.state = saved``."""
        return {"seed": self._seed, "passes": self._passes}

    @state.setter
    def state(self, saved: dict[str, int]) -> None:
        self._seed, self._passes = int(saved["seed"]), int(saved["passes"])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape_like(bottom[0])

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._active:
            copy_data(self, bottom[0], top[0])
            return
        self._passes += not self.repeating
        self.kernels.dropout_forward(
            bottom[0].read().reshape(-1), top[0].write().reshape(-1), self._seed, self._passes, self._ratio
        )

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if not self._active:
            copy_diff(self, top[0], bottom[0])
            return
        self.kernels.dropout_forward(
            top[0].read_diff().reshape(-1), bottom[0].write_diff().reshape(-1), self._seed, self._passes, self._ratio
        )
