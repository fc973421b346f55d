"""The solver settings of the paper and of the published solver files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydeeplab.networks.text import comment, fields

__all__ = ["POLY_RESNET", "POLY_VGG", "STEP", "STEP_2", "STEP_2_4X4", "solver_text"]

COMMON = {"momentum": 0.9, "weight_decay": 0.0005}

POLY_VGG: dict[str, Any] = {
    "base_lr": 0.001,
    "lr_policy": "poly",
    "power": 0.9,
    "max_iter": 20000,
    "snapshot": 20000,
    "display": 20,
    "average_loss": 20,
}
POLY_RESNET: dict[str, Any] = {**POLY_VGG, "iter_size": 10, "base_lr": 0.00025, "snapshot": 10000}
STEP: dict[str, Any] = {
    "base_lr": 0.001,
    "lr_policy": "step",
    "gamma": 0.1,
    "stepsize": 2000,
    "max_iter": 6000,
    "snapshot": 2000,
    "display": 10,
}
STEP_2: dict[str, Any] = {**STEP, "max_iter": 8000}
STEP_2_4X4: dict[str, Any] = {**STEP, "base_lr": 0.01, "stepsize": 3000, "max_iter": 12000}
"""As published with the first release's 4x4 net."""


def solver_text(settings: Mapping[str, Any], *, train_net: str, snapshot_prefix: str, heading: Sequence[str]) -> str:
    """The text of a solver file."""
    values = {"train_net": train_net, **settings, **COMMON, "snapshot_prefix": snapshot_prefix}
    return comment(heading) + "\n" + "".join(f"{line}\n" for line in fields(values))
