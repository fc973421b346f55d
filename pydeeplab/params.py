"""Learnable parameters: which layer owns them, who shares them by name, and their learning-rate multipliers.

The module also has what pycaffe's ``caffe.params`` has: ``params.Pooling.MAX`` is ``PoolingParameter.MAX``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydeeplab.blob import Blob
from pydeeplab.errors import LayerError, ShapeError
from pydeeplab.layer import Layer

__all__ = ["Param", "ParamTable"]

PERMISSIVE = 1


@dataclass
class Param:
    """One parameter blob of a net.

    ``owner`` is the index of the parameter that holds the memory (its own index unless it is shared); ``lr_mult`` and
    ``decay_mult`` multiply the solver's learning rate and weight decay.
    """

    layer: Layer
    layer_index: int
    blob_index: int
    name: str
    blob: Blob
    owner: int
    lr_mult: float
    decay_mult: float
    lr_given: bool
    decay_given: bool


class ParamTable:
    """All parameters of a net in layer order; collects them, and shares those of equal name."""

    def __init__(self) -> None:
        self.all: list[Param] = []
        self._named: dict[str, int] = {}
        self._borrowed: set[tuple[int, int]] = set()

    @property
    def learnable(self) -> list[Param]:
        """The owners, each shared parameter once; the order that solvers and their snapshots use."""
        return [p for i, p in enumerate(self.all) if p.owner == i]

    def is_shared(self, layer_index: int, blob_index: int) -> bool:
        """Whether this blob belongs to an earlier layer."""
        return (layer_index, blob_index) in self._borrowed

    def add(self, layer: Layer, layer_index: int) -> list[Param]:
        """Take in a layer that has been set up; returns its parameters.

        Raises
        ------
        LayerError
            More ``param`` entries than blobs; shared parameters that disagree on lr_mult or decay_mult.
        ShapeError
            Shared parameters of different shapes.
        """
        specs = layer.param.param
        if len(specs) > len(layer.blobs):
            raise layer.error(
                f"has {len(layer.blobs)} parameter blobs but {len(specs)} 'param' entries; remove the excess"
            )
        first = len(self.all)
        for i, blob in enumerate(layer.blobs):
            spec = specs[i] if i < len(specs) else None
            param = Param(
                layer,
                layer_index,
                i,
                spec.name if spec else "",
                blob,
                len(self.all),
                spec.lr_mult if spec else 1.0,
                spec.decay_mult if spec else 1.0,
                bool(spec and spec.HasField("lr_mult")),
                bool(spec and spec.HasField("decay_mult")),
            )
            if param.name and param.name in self._named:
                self._share(param, spec)
            elif param.name:
                self._named[param.name] = len(self.all)
            self.all.append(param)
        return self.all[first:]

    def _share(self, param: Param, spec: object) -> None:
        owner = self.all[self._named[param.name]]
        both = f"parameter '{param.name}' is shared with layer '{owner.layer.name}'"
        if getattr(spec, "share_mode", 0) == PERMISSIVE:
            if owner.blob.count != param.blob.count:
                raise param.layer.error(
                    f"{both}, which has {owner.blob.count} elements; here it has {param.blob.count}", ShapeError
                )
        elif owner.blob.shape != param.blob.shape:
            raise param.layer.error(
                f"{both}, where its shape is {owner.blob.shape}; here it is {param.blob.shape}. "
                "Use another name, or share_mode: PERMISSIVE if the number of elements is equal.",
                ShapeError,
            )
        for what in ("lr", "decay"):
            mult, given = f"{what}_mult", f"{what}_given"
            if not getattr(param, given):
                setattr(param, mult, getattr(owner, mult))
            elif not getattr(owner, given):
                setattr(owner, mult, getattr(param, mult))
                setattr(owner, given, True)
            elif getattr(owner, mult) != getattr(param, mult):
                raise param.layer.error(
                    f"{both} with {mult} {getattr(owner, mult):g}, here {getattr(param, mult):g}; they must be equal",
                    LayerError,
                )
        param.owner = owner.owner
        self._borrowed.add((param.layer_index, param.blob_index))
        param.blob.share_data(owner.blob)
        param.blob.share_diff(owner.blob)


def __getattr__(name: str) -> Any:
    from pydeeplab.net_spec import params

    return getattr(params, name)
