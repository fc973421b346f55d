"""Learning-rate policies: the base rate at each iteration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pydeeplab.errors import PrototxtError, UsageError, did_you_mean

__all__ = ["POLICIES", "LearningRate"]


def _poly(param: Any, iteration: int) -> float:
    left = 1 - iteration / param.max_iter
    if left < 0:
        raise UsageError(
            f"the poly policy ends at max_iter {param.max_iter}; iteration {iteration} is beyond it. "
            "Raise max_iter (which changes the whole curve)."
        )
    return float(left**param.power)


POLICIES: dict[str, Callable[[Any, int], float]] = {
    "fixed": lambda p, t: 1.0,
    "step": lambda p, t: p.gamma ** (t // p.stepsize),
    "exp": lambda p, t: p.gamma**t,
    "inv": lambda p, t: (1 + p.gamma * t) ** -p.power,
    "poly": _poly,
    "sigmoid": lambda p, t: 1 / (1 + math.exp(min(700.0, -p.gamma * (t - p.stepsize)))),
}
"""What ``base_lr`` is multiplied by after ``t`` updates; ``multistep`` has a memory and is apart."""


class LearningRate:
    """The learning rate of a solver, before the multipliers of single parameters.

    Parameters
    ----------
    param : SolverParameter
        Read anew at each call, so that changes to ``base_lr`` or ``max_iter`` count at once.
    where : function
        Field name -> "file:line:column" or "", for messages.

    Attributes
    ----------
    steps : int
        How many entries of ``stepvalue`` have passed (the solver state's ``current_step``).

    Raises
    ------
    PrototxtError
        An unknown policy, or one whose parameters make no sense.
    """

    def __init__(self, param: Any, where: Callable[[str], str] = lambda field: ""):
        self._param = param
        self._where = where
        self.steps = 0
        if param.lr_policy:
            self._check()

    def _refuse(self, field: str, message: str) -> PrototxtError:
        place = self._where(field)
        return PrototxtError(f"{place}: {message}" if place else message)

    def _check(self) -> None:
        param, policy = self._param, self._param.lr_policy
        known = [*POLICIES, "multistep"]
        if policy not in known:
            raise self._refuse(
                "lr_policy",
                f"unknown lr_policy '{policy}'; known are {', '.join(sorted(known))}.{did_you_mean(policy, known)}",
            )
        if policy in ("step", "exp", "inv", "multistep") and not param.gamma >= 0:
            raise self._refuse("gamma", f"gamma must not be negative, got {param.gamma:g}")
        if policy in ("step", "sigmoid") and param.stepsize <= 0:
            raise self._refuse("stepsize", f"lr_policy '{policy}' needs a stepsize above 0, got {param.stepsize}")
        if policy == "poly" and param.max_iter <= 0:
            raise self._refuse("max_iter", f"lr_policy 'poly' needs a max_iter above 0, got {param.max_iter}")
        if list(param.stepvalue) != sorted(param.stepvalue):
            raise self._refuse("stepvalue", f"stepvalue must rise, got {', '.join(map(str, param.stepvalue))}")

    def at(self, iteration: int) -> float:
        """The rate of the update that follows ``iteration`` completed ones."""
        param = self._param
        if not param.lr_policy:
            raise UsageError('the solver has no lr_policy; write one, such as lr_policy: "poly" power: 0.9')
        if param.lr_policy == "multistep":
            return float(param.base_lr * param.gamma ** self._passed(iteration))
        return float(param.base_lr * POLICIES[param.lr_policy](param, iteration))

    def advance(self, iteration: int) -> float:
        """As `at`, and remember the step that multistep takes: at most one per call, as in Caffe."""
        rate = self.at(iteration)
        if self._param.lr_policy == "multistep":
            self.steps = self._passed(iteration)
        return rate

    def _passed(self, iteration: int) -> int:
        values = self._param.stepvalue
        return self.steps + (self.steps < len(values) and iteration >= values[self.steps])
