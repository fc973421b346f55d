"""RNN: the plain recurrent network."""

from __future__ import annotations

import numpy as np

from pydeeplab.layer import register
from pydeeplab.layers._recurrent import Array, RecurrentLayer


@register
class RNN(RecurrentLayer):
    """h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h), y_t = tanh(W_ho h_t + b_o); see `RecurrentLayer`. State: h.

    Blobs: W_xh (D x I), b_h (D), W_xh_static if there is a static input, W_hh (D x D), W_ho (D x D), b_o (D).

    Source: Caffe RNN.
    """

    type = "RNN"
    states = 1
    rows = 1

    def add_parameters(self) -> None:
        self.add_weight(self.size, self.size)
        self.add_weight(self.size, self.size)
        self.add_bias(self.size)

    def run(self, inputs: Array, cont: Array, start: list[Array]) -> tuple[Array, list[Array]]:
        weight = self.blobs[-3].data.T
        self._cont = cont.copy()
        self._hidden = np.empty((len(inputs) + 1, inputs.shape[1], self.size), inputs.dtype)
        self._hidden[0] = start[0]
        for t, given in enumerate(inputs):
            self._hidden[t + 1] = np.tanh(given + (self._hidden[t] * cont[t]) @ weight)
        self._output = np.tanh(self._hidden[1:] @ self.blobs[-2].data.T + self.blobs[-1].data)
        return self._output, [self._hidden[-1].copy()]

    def run_back(self, dy: Array, last: list[Array]) -> tuple[Array, list[Array]]:
        hidden, cont, count = self._hidden, self._cont, len(self.blobs)
        d_output = dy * (1 - self._output**2)
        flat = d_output.reshape(-1, self.size)
        self.accumulate(count - 2, flat.T @ hidden[1:].reshape(-1, self.size))
        self.accumulate(count - 1, flat.sum(axis=0))
        d_above = d_output @ self.blobs[-2].data
        d_inputs = np.empty_like(d_above)
        d_hidden = last[0]
        for t in reversed(range(len(dy))):
            d_inputs[t] = (d_hidden + d_above[t]) * (1 - hidden[t + 1] ** 2)
            d_hidden = (d_inputs[t] @ self.blobs[-3].data) * cont[t]
        fed_back = (hidden[:-1] * cont).reshape(-1, self.size)
        self.accumulate(count - 3, d_inputs.reshape(-1, self.size).T @ fed_back)
        return d_inputs, [d_hidden]
