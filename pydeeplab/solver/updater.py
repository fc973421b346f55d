"""From accumulated gradients to moved parameters: clip, normalise, regularise, apply the rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import PrototxtError, WeightsError
from pydeeplab.net import Net
from pydeeplab.solver.rules import Rule

__all__ = ["Updater"]


class Updater:
    """Applies an update rule to all learnable parameters of a net and keeps the rule's history."""

    def __init__(self, net: Net, rule: Rule, note: Callable[[str], None] = lambda text: None):
        if rule.param.regularization_type not in ("L1", "L2"):
            raise PrototxtError(
                f'unknown regularization_type \'{rule.param.regularization_type}\'; known are "L2" and "L1"'
            )
        self._rule = rule
        self._note = note
        self._params = net.learnable_params
        self._kernels = net.backend.kernels
        self._update = getattr(self._kernels, rule.kernel)
        self._square = np.zeros(1, np.float64)
        self.history: list[NDArray[Any]] = [
            net.backend.zeros(p.blob.count, p.blob.dtype).reshape(p.blob.shape)
            for _ in range(rule.histories)
            for p in self._params
        ]

    def restore(self, history: Sequence[NDArray[Any]]) -> None:
        """Take over the history of a solver state; what does not fit changes nothing.

        Raises
        ------
        WeightsError
            Another number of arrays, or of elements.
        """
        if len(history) != len(self.history):
            raise WeightsError(
                f"the solver state has {len(history)} history arrays, a {self._rule.type} solver of this net "
                f"{len(self.history)}: it belongs to another net or another type of solver"
            )
        for i, (mine, theirs) in enumerate(zip(self.history, history, strict=True)):
            if mine.size != theirs.size:
                raise WeightsError(f"history {i} of the solver state has shape {theirs.shape}, expected {mine.shape}")
        for mine, theirs in zip(self.history, history, strict=True):
            mine[...] = theirs.reshape(mine.shape)

    def gradient_norm(self) -> float:
        """Euclidean norm of all gradients together."""
        total = 0.0
        for param in self._params:
            self._kernels.sum_squares(param.blob.read_diff().reshape(-1), self._square)
            total += float(self._square[0])
        return math.sqrt(total)

    def _scale(self) -> float:
        """What gradients are multiplied by: clipping (before anything else), then the mean over ``iter_size``."""
        param = self._rule.param
        scale = 1.0
        if param.clip_gradients >= 0:
            norm = self.gradient_norm()
            if norm > param.clip_gradients:
                scale = param.clip_gradients / norm
                self._note(
                    f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > {param.clip_gradients:g}) "
                    f"by scale factor {scale:g}"
                )
        return scale / param.iter_size if param.iter_size != 1 else scale

    def apply(self, rate: float, iteration: int) -> None:
        """Move every parameter; gradients are left holding what was subtracted."""
        param = self._rule.param
        scale, constants = self._scale(), self._rule.constants()
        rate *= self._rule.factor(iteration)
        lasso = param.regularization_type == "L1"
        count = len(self._params)
        for i, one in enumerate(self._params):
            decay = param.weight_decay * one.decay_mult
            l2, l1 = (0.0, decay) if lasso else (decay, 0.0)
            histories = [h.reshape(-1) for h in self.history[i::count]]
            self._update(
                one.blob.modify().reshape(-1),
                one.blob.modify_diff().reshape(-1),
                *histories,
                scale,
                l2,
                l1,
                rate * one.lr_mult,
                *constants,
            )
