"""Update rules: which kernel moves a parameter, with which numbers and how many histories."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydeeplab.errors import PrototxtError, did_you_mean

__all__ = ["RULES", "SGD", "AdaDelta", "AdaGrad", "Adam", "Nesterov", "RMSProp", "Rule", "rule_of"]


class Rule:
    """An update rule. A subclass names its ``type`` as in a solver prototxt and its kernel."""

    type: ClassVar[str]
    kernel: ClassVar[str]
    histories: ClassVar[int] = 1
    """Arrays per parameter; a solver state holds all the first ones, then all the second ones."""

    def __init__(self, param: Any):
        self.param = param

    def factor(self, iteration: int) -> float:
        """What the learning rate is multiplied by in the update after ``iteration`` completed ones."""
        return 1.0

    def constants(self) -> tuple[float, ...]:
        """The kernel's last scalars."""
        return (float(self.param.momentum),)

    def _without_momentum(self) -> None:
        if self.param.momentum:
            raise PrototxtError(
                f"{self.type} has no momentum, got momentum: {self.param.momentum:g}. Remove it from the solver."
            )


class SGD(Rule):
    """Stochastic gradient descent with momentum."""

    type = "SGD"
    kernel = "update_sgd"


class Nesterov(Rule):
    """SGD with Nesterov's momentum."""

    type = "Nesterov"
    kernel = "update_nesterov"


class AdaGrad(Rule):
    """Duchi et al. 2011."""

    type = "AdaGrad"
    kernel = "update_adagrad"

    def __init__(self, param: Any):
        super().__init__(param)
        self._without_momentum()

    def constants(self) -> tuple[float, ...]:
        return (float(self.param.delta),)


class RMSProp(Rule):
    """Tieleman and Hinton 2012."""

    type = "RMSProp"
    kernel = "update_rmsprop"

    def __init__(self, param: Any):
        super().__init__(param)
        self._without_momentum()
        if not 0 <= param.rms_decay < 1:
            raise PrototxtError(f"rms_decay must lie in [0, 1), got {param.rms_decay:g}")

    def constants(self) -> tuple[float, ...]:
        return float(self.param.rms_decay), float(self.param.delta)


class AdaDelta(Rule):
    """Zeiler 2012, with ``momentum`` as the decay of both averages."""

    type = "AdaDelta"
    kernel = "update_adadelta"
    histories = 2

    def constants(self) -> tuple[float, ...]:
        return float(self.param.momentum), float(self.param.delta)


class Adam(Rule):
    """Kingma and Ba 2015, with ``momentum`` and ``momentum2`` as beta1 and beta2."""

    type = "Adam"
    kernel = "update_adam"
    histories = 2

    def factor(self, iteration: int) -> float:
        t = iteration + 1
        return math.sqrt(1 - float(self.param.momentum2) ** t) / (1 - float(self.param.momentum) ** t)

    def constants(self) -> tuple[float, ...]:
        return float(self.param.momentum), float(self.param.momentum2), float(self.param.delta)


RULES: dict[str, type[Rule]] = {rule.type: rule for rule in (SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam)}
"""Rules by the solver's ``type``."""


def rule_of(name: str, where: str = "") -> type[Rule]:
    """The rule for a solver's ``type``."""
    if name not in RULES:
        raise PrototxtError(
            f"{f'{where}: ' if where else ''}unknown solver type '{name}'; known are {', '.join(RULES)}."
            f"{did_you_mean(name, RULES)}"
        )
    return RULES[name]
