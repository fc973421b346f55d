"""Non-linearities without parameters of their own: Sigmoid, TanH, ELU, Clip and Swish."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import BottomCopy


class _Activation(Layer):
    in_place = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape_like(bottom[0])


@register
class Sigmoid(_Activation):
    """y = 1 / (1 + exp(-x)), pointwise."""

    type = "Sigmoid"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.kernels.sigmoid_forward(bottom[0].read().reshape(-1), top[0].write().reshape(-1), 1.0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, dy = top[0].read().reshape(-1), top[0].read_diff().reshape(-1)
            self.kernels.sigmoid_backward(y, dy, bottom[0].write_diff().reshape(-1))


@register
class TanH(_Activation):
    """y = tanh(x), pointwise."""

    type = "TanH"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.kernels.tanh_forward(bottom[0].read().reshape(-1), top[0].write().reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, dy = top[0].read().reshape(-1), top[0].read_diff().reshape(-1)
            self.kernels.tanh_backward(y, dy, bottom[0].write_diff().reshape(-1))


@register
class ELU(_Activation):
    """Exponential linear unit: y = x if x > 0 else ``elu_param.alpha`` (exp(x) - 1)."""

    type = "ELU"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._alpha = float(self.param.elu_param.alpha)
        self._x = BottomCopy(self)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0], needed=self._alpha < 0)  # otherwise x and y have the same sign
        self.kernels.elu_forward(bottom[0].read().reshape(-1), top[0].write().reshape(-1), self._alpha)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, y, dy = (
                self._x.of(bottom[0]).read().reshape(-1),
                top[0].read().reshape(-1),
                top[0].read_diff().reshape(-1),
            )
            self.kernels.elu_backward(x, y, dy, bottom[0].write_diff().reshape(-1), self._alpha)


@register
class Clip(_Activation):
    """y = x bounded by ``clip_param.min`` and ``clip_param.max``; the gradient passes where x lies within them."""

    type = "Clip"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.clip_param
        if not (param.HasField("min") and param.HasField("max")):
            raise self.error("clip_param needs both min and max")
        if param.min > param.max:
            raise self.error(f"clip_param.min ({param.min:g}) must not exceed clip_param.max ({param.max:g})")
        self._bounds = float(param.min), float(param.max)
        self._x = BottomCopy(self)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0])
        self.kernels.clip_forward(bottom[0].read().reshape(-1), top[0].write().reshape(-1), *self._bounds)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, dy = self._x.of(bottom[0]).read().reshape(-1), top[0].read_diff().reshape(-1)
            self.kernels.clip_backward(x, dy, bottom[0].write_diff().reshape(-1), *self._bounds)


@register
class Swish(_Activation):
    """y = x s with the gate s = 1 / (1 + exp(-beta x)), ``swish_param.beta`` 1 unless given."""

    type = "Swish"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._beta = float(self.param.swish_param.beta)
        self._x = BottomCopy(self)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._x.save(bottom[0], top[0])
        x = bottom[0].read().reshape(-1)
        gate = self.context.workspace.get(bottom[0].count)
        self.kernels.sigmoid_forward(x, gate, self._beta)
        self.kernels.eltwise_multiply_forward(x, gate, top[0].write().reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        count = bottom[0].count
        work = self.context.workspace.get(2 * count)
        gate, slope = work[:count], work[count:]
        x, dy = self._x.of(bottom[0]).read().reshape(-1), top[0].read_diff().reshape(-1)
        self.kernels.sigmoid_forward(x, gate, self._beta)
        self.kernels.sigmoid_backward(gate, x, slope)  # x s (1 - s)
        self.kernels.axpby(gate, slope, 1.0, self._beta)
        self.kernels.eltwise_multiply_forward(slope, dy, bottom[0].write_diff().reshape(-1))
