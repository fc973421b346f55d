"""Which layers a net state includes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydeeplab.errors import PrototxtError

__all__ = ["includes", "rule_matches"]


def rule_matches(rule: Any, state: Any) -> bool:
    """Whether a net state meets a rule: all conditions that the rule gives hold.

    Parameters
    ----------
    rule : NetStateRule
        Conditions on phase, level (``min_level``, ``max_level``), stages that must be there (``stage``) and stages that
        must not (``not_stage``).
    state : NetState
    """
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and all(stage in state.stage for stage in rule.stage)
        and not any(stage in state.stage for stage in rule.not_stage)
    )


def includes(layer: Any, state: Any, place: Callable[[], str] = lambda: "") -> bool:
    """Whether a net state includes a layer: some include rule matches, or no exclude rule does.

    Raises
    ------
    PrototxtError
        The layer has rules of both kinds.
    """
    if layer.include and layer.exclude:
        raise PrototxtError(
            f"{place()}layer '{layer.name}' ({layer.type}) has both include and exclude rules. Use one kind."
        )
    if layer.include:
        return any(rule_matches(rule, state) for rule in layer.include)
    return not any(rule_matches(rule, state) for rule in layer.exclude)
