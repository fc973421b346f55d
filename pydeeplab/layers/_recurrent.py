"""What recurrent layers share: sequences of T steps of N streams, their start, and where they end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer
from pydeeplab.layers._memory import item_rows

__all__ = ["Array", "RecurrentLayer", "sigmoid"]

Array = NDArray[Any]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


class RecurrentLayer(Layer):
    """Base of LSTM and RNN.

    Bottoms: x of T x N x ..., cont of T x N (0 where a new sequence starts, else 1), optionally a static input of
    N x ... that every step sees, and with ``expose_hidden`` the states before the first step, 1 x N x D each. Tops: the
    output of every step, T x N x D, and with ``expose_hidden`` the states after the last. Otherwise the states go on
    from one forward pass to the next, without gradient.

    A subclass names its ``states``, says the rows of its input weights and of its bias in ``rows``, adds its other
    parameters in `add_parameters` and runs through time in `run` and `run_back`. Its first blobs are the input weights,
    the bias and, where there is a static input, the static weights.
    """

    bottom_count = (2, None)
    top_count = (1, None)
    unpropagated_bottoms = (1,)
    states: ClassVar[int]
    rows: ClassVar[int]
    """Rows of the input weights per output: the number of gates."""

    def add_parameters(self) -> None:
        """Create the blobs after the input weights."""
        raise NotImplementedError

    def run(self, inputs: Array, cont: Array, start: list[Array]) -> tuple[Array, list[Array]]:
        """From the inputs' part of the gates (T x N x rows D) to all outputs and the last states."""
        raise NotImplementedError

    def run_back(self, dy: Array, last: list[Array]) -> tuple[Array, list[Array]]:
        """From the gradients of what `run` returns to those of its inputs and start; adds to parameters' gradients."""
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.recurrent_param
        if param.num_output < 1:
            raise self.error(f"recurrent_param.num_output must be at least 1, got {param.num_output}")
        self.size = int(param.num_output)
        self.exposed = self.states if param.expose_hidden else 0
        if len(bottom) not in (2 + self.exposed, 3 + self.exposed) or len(top) != 1 + self.exposed:
            raise self.error(
                f"takes x, cont, at most one static input{f' and {self.exposed} start states' if self.exposed else ''} "
                f"and gives {1 + self.exposed} top(s) (expose_hidden: {str(bool(self.exposed)).lower()}); "
                f"got {len(bottom)} bottoms and {len(top)} tops"
            )
        self.static = len(bottom) == 3 + self.exposed
        self._check(bottom)
        self.add_weight(self.rows * self.size, math.prod(bottom[0].shape[2:]))
        self.add_bias(self.rows * self.size)
        if self.static:
            self.add_weight(self.rows * self.size, math.prod(bottom[2].shape[1:]))
        self.add_parameters()
        self._state: list[Array] = []

    def add_weight(self, rows: int, columns: int) -> None:
        """A new weight matrix."""
        self.blobs.append(self.new_blob(rows, columns))
        fill(self.blobs[-1], self.param.recurrent_param.weight_filler, self.context.random)

    def add_bias(self, rows: int) -> None:
        """A new bias."""
        self.blobs.append(self.new_blob(rows))
        fill(self.blobs[-1], self.param.recurrent_param.bias_filler, self.context.random)

    def reset(self) -> None:
        """Forget the states that would go on into the next forward pass."""
        self._state = []

    @property
    def state(self) -> dict[str, list[Array]]:
        """The states that go on into the next forward pass; can be put back: ``layer.state = saved``."""
        return {"states": [array.copy() for array in self._state]}

    @state.setter
    def state(self, saved: dict[str, list[Array]]) -> None:
        self._state = [np.array(array, self.context.dtype) for array in saved["states"]]

    def _check(self, bottom: Sequence[Blob]) -> None:
        x, cont = bottom[0].shape, bottom[1].shape
        if len(x) < 2 or cont != x[:2]:
            raise self.shape_error(f"needs x of T x N x ... and cont of T x N, got shapes {x} and {cont}")
        if self.static and bottom[2].shape[:1] != x[1:2]:
            raise self.shape_error(f"needs a static input of N x ..., N = {x[1]}, got shape {bottom[2].shape}")
        for blob in bottom[len(bottom) - self.exposed :]:
            if blob.shape != (1, x[1], self.size):
                raise self.shape_error(f"needs start states of shape {(1, x[1], self.size)}, got {blob.shape}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._check(bottom)
        steps, streams = bottom[0].shape[:2]
        widths = {0: math.prod(bottom[0].shape[2:])}
        if self.static:
            widths[2] = math.prod(bottom[2].shape[1:])
        for index, width in widths.items():
            if self.blobs[index].shape[1] != width:
                raise self.shape_error(
                    f"was built for inputs of {self.blobs[index].shape[1]} values per stream, got {width}"
                )
        top[0].reshape(steps, streams, self.size)
        for blob in top[1:]:
            blob.reshape(1, streams, self.size)

    def _start(self, bottom: Sequence[Blob]) -> list[Array]:
        streams = bottom[0].shape[1]
        if self.exposed:
            return [blob.data[0] for blob in bottom[len(bottom) - self.exposed :]]
        if not self._state or self._state[0].shape[0] != streams:
            self._state = [np.zeros((streams, self.size), self.context.dtype) for _ in range(self.states)]
        return self._state

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        steps, streams = bottom[0].shape[:2]
        gates = item_rows(bottom[0].data, 2) @ self.blobs[0].data.T + self.blobs[1].data
        gates = gates.reshape(steps, streams, self.rows * self.size)
        if self.static:
            gates += item_rows(bottom[2].data) @ self.blobs[2].data.T
        top[0].data[...], last = self.run(gates, bottom[1].data[:, :, None], self._start(bottom))
        if self.exposed:
            for blob, state in zip(top[1:], last, strict=True):
                blob.data[0] = state
        else:
            self._state = last

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        streams = bottom[0].shape[1]
        if self.exposed:
            last = [blob.diff[0].copy() for blob in top[1:]]
        else:
            last = [np.zeros((streams, self.size), self.context.dtype) for _ in range(self.states)]
        gates, start = self.run_back(top[0].diff, last)
        flat = item_rows(gates, 2)
        self.accumulate(0, flat.T @ item_rows(bottom[0].data, 2))
        self.accumulate(1, flat.sum(axis=0))
        if propagate_down[0]:
            bottom[0].diff[...] = (flat @ self.blobs[0].data).reshape(bottom[0].shape)
        if self.static:
            per_stream = gates.sum(axis=0)
            self.accumulate(2, per_stream.T @ item_rows(bottom[2].data))
            if propagate_down[2]:
                bottom[2].diff[...] = (per_stream @ self.blobs[2].data).reshape(bottom[2].shape)
        offset = len(bottom) - self.exposed
        for blob, wanted, gradient in zip(bottom[offset:], propagate_down[offset:], start, strict=False):
            if wanted:
                blob.diff[0] = gradient

    def accumulate(self, index: int, gradient: Array) -> None:
        """Add to a parameter's gradient, if it has one."""
        if self.param_propagate_down[index]:
            self.blobs[index].diff[...] += gradient
