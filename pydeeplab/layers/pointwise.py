"""Rare pointwise functions in NumPy on the host: AbsVal, BNLL, Exp, Log, Power and Threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import BottomCopy

Array = NDArray[Any]


class _Pointwise(Layer):
    """A subclass gives `value` and, unless it has no gradient, `slope`, the derivative at x where the value is y."""

    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x = BottomCopy(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0])
        with np.errstate(all="ignore"):
            top[0].data[...] = self.value(bottom[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            with np.errstate(all="ignore"):
                slope = self.slope(self._x.of(bottom[0]).data, top[0].data)
                bottom[0].diff[...] = top[0].diff * slope

    def value(self, x: Array) -> Array:
        """The function."""
        raise NotImplementedError

    def slope(self, x: Array, y: Array) -> Array | float:
        """Its derivative."""
        raise NotImplementedError


@register
class AbsVal(_Pointwise):
    """y = |x|; the gradient at 0 is 0."""

    type = "AbsVal"

    def value(self, x: Array) -> Array:
        return np.abs(x)

    def slope(self, x: Array, y: Array) -> Array:
        return np.sign(x)


@register
class BNLL(_Pointwise):
    """Binomial normal log likelihood: y = log(1 + exp(x))."""

    type = "BNLL"

    def value(self, x: Array) -> Array:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def slope(self, x: Array, y: Array) -> Array:
        return 0.5 * np.tanh(0.5 * x) + 0.5


def _log_base(layer: Layer, base: float) -> float:
    """The natural logarithm of ``base``, where -1 stands for e."""
    if base == -1:
        return 1.0
    if base <= 0:
        raise layer.error(f"base must be positive (or -1, which stands for e), got {base:g}")
    return math.log(base)


@register
class Exp(_Pointwise):
    """y = base ^ (shift + scale x); ``exp_param.base`` -1 stands for e."""

    type = "Exp"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.param.exp_param
        log_base = _log_base(self, param.base)
        self._inner = log_base * param.scale
        self._outer = float(np.exp(np.float64(log_base * param.shift)))

    def value(self, x: Array) -> Array:
        return self._outer * np.exp(self._inner * x)

    def slope(self, x: Array, y: Array) -> Array:
        return self._inner * y


@register
class Log(_Pointwise):
    """y = log(shift + scale x) in base ``log_param.base``; -1 stands for e."""

    type = "Log"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.param.log_param
        log_base = _log_base(self, param.base)
        if log_base == 0:
            raise self.error("base must not be 1")
        self._scale, self._shift, self._per_log = float(param.scale), float(param.shift), 1 / log_base

    def value(self, x: Array) -> Array:
        return self._per_log * np.log(self._scale * x + self._shift)

    def slope(self, x: Array, y: Array) -> Array:
        return self._per_log * self._scale / (self._scale * x + self._shift)


@register
class Power(_Pointwise):
    """y = (shift + scale x) ^ power."""

    type = "Power"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.param.power_param
        self._power, self._scale, self._shift = float(param.power), float(param.scale), float(param.shift)

    def value(self, x: Array) -> Array:
        return self._raise(x, self._power)

    def slope(self, x: Array, y: Array) -> Array | float:
        factor = self._power * self._scale
        return factor * self._raise(x, self._power - 1) if factor else 0.0

    def _raise(self, x: Array, power: float) -> Array:
        inner = self._scale * x + self._shift
        return inner if power == 1 else inner**power


@register
class Threshold(_Pointwise):
    """y = 1 where x > ``threshold_param.threshold``, else 0; it has no gradient."""

    type = "Threshold"
    unpropagated_bottoms = (0,)

    def value(self, x: Array) -> Array:
        return x > self.param.threshold_param.threshold

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        Layer.backward(self, top, propagate_down, bottom)
