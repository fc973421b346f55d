"""LSTM and LSTMUnit: long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._recurrent import Array, RecurrentLayer, sigmoid


def unit_forward(gates: Array, before: Array, cont: Array) -> tuple[Array, Array, Array]:
    """One step: activations of the gates (N x 4 D: input, forget, output, candidate), new cell, new hidden state."""
    size = before.shape[1]
    active = np.concatenate([sigmoid(gates[:, : 3 * size]), np.tanh(gates[:, 3 * size :])], axis=1)
    active[:, size : 2 * size] *= cont
    i, f, o, g = np.split(active, 4, axis=1)
    cell = f * before + i * g
    return active, cell, o * np.tanh(cell)


def unit_backward(
    active: Array, before: Array, cell: Array, cont: Array, d_cell: Array, d_hidden: Array
) -> tuple[Array, Array]:
    """Gradients of the gates (before their activations) and of the cell before the step."""
    i, f, o, g = np.split(active, 4, axis=1)
    squashed = np.tanh(cell)
    d_cell = d_cell + d_hidden * o * (1 - squashed**2)
    # f is cont s(x): its slope is f (1 - s(x)), with s(x) = f / cont
    forgetting = np.divide(f, cont, out=np.zeros_like(f), where=np.broadcast_to(cont != 0, f.shape))
    d_gates = (
        d_cell * g * i * (1 - i),
        d_cell * before * f * (1 - forgetting),
        d_hidden * squashed * o * (1 - o),
        d_cell * i * (1 - g**2),
    )
    return np.concatenate(d_gates, axis=1), d_cell * f


@register
class LSTM(RecurrentLayer):
    """Long short-term memory; see `RecurrentLayer` for bottoms and tops. States: hidden h, cell c.

    Blobs: W_xc (4 D x I), b_c (4 D), W_xc_static if there is a static input, W_hc (4 D x D); gates in the order input,
    forgetting, output, candidate.

    Source: Caffe LSTM; Hochreiter and Schmidhuber 1997; Zaremba and Sutskever 2014.
    """

    type = "LSTM"
    states = 2
    rows = 4

    def add_parameters(self) -> None:
        self.add_weight(4 * self.size, self.size)

    def run(self, inputs: Array, cont: Array, start: list[Array]) -> tuple[Array, list[Array]]:
        weight = self.blobs[-1].data.T
        self._cont, self._active = cont.copy(), np.empty_like(inputs)
        shape = (len(inputs) + 1, inputs.shape[1], self.size)
        self._hidden, self._cell = np.empty(shape, inputs.dtype), np.empty(shape, inputs.dtype)
        self._hidden[0], self._cell[0] = start
        for t, gates in enumerate(inputs):
            gates = gates + (self._hidden[t] * cont[t]) @ weight
            self._active[t], self._cell[t + 1], self._hidden[t + 1] = unit_forward(gates, self._cell[t], cont[t])
        return self._hidden[1:], [self._hidden[-1].copy(), self._cell[-1].copy()]

    def run_back(self, dy: Array, last: list[Array]) -> tuple[Array, list[Array]]:
        weight, cont, d_gates = self.blobs[-1].data, self._cont, np.empty_like(self._active)
        d_hidden, d_cell = last
        for t in reversed(range(len(dy))):
            d_gates[t], d_cell = unit_backward(
                self._active[t], self._cell[t], self._cell[t + 1], cont[t], d_cell, d_hidden + dy[t]
            )
            d_hidden = (d_gates[t] @ weight) * cont[t]
        fed_back = (self._hidden[:-1] * cont).reshape(-1, self.size)
        self.accumulate(len(self.blobs) - 1, d_gates.reshape(len(fed_back), 4 * self.size).T @ fed_back)
        return d_gates, [d_hidden, d_cell]


@register
class LSTMUnit(Layer):
    """One step of an LSTM: c_prev (1 x N x D), gates (1 x N x 4 D) and cont (1 x N) to c and h.

    Source: Caffe LSTMUnit.
    """

    type = "LSTMUnit"
    bottom_count = (3, 3)
    top_count = (2, 2)
    unpropagated_bottoms = (2,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        cell, gates, cont = (b.shape for b in bottom)
        if len(cell) != 3 or cell[0] != 1 or gates != (1, cell[1], 4 * cell[2]) or cont != (1, cell[1]):
            raise self.shape_error(
                f"needs c_prev of 1 x N x D, gates of 1 x N x 4 D and cont of 1 x N, got {cell}, {gates} and {cont}"
            )
        for blob in top:
            blob.reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        cont = bottom[2].data[0][:, None]
        self._active, top[0].data[0], top[1].data[0] = unit_forward(bottom[1].data[0], bottom[0].data[0], cont)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        cont = bottom[2].data[0][:, None]
        d_gates, d_before = unit_backward(
            self._active, bottom[0].data[0], top[0].data[0], cont, top[0].diff[0], top[1].diff[0]
        )
        for blob, wanted, gradient in zip(bottom, propagate_down, (d_before, d_gates), strict=False):
            if wanted:
                blob.diff[0] = gradient
