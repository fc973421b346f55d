"""The weights that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydeeplab.errors import UsageError, WeightsError
from pydeeplab.experiment.spec import Init
from pydeeplab.files import make_folder
from pydeeplab.formats import LayerWeights, read_weights, save_weights
from pydeeplab.resources import find_weights

__all__ = ["find_init", "write_copies"]


def find_init(init: Init, given: Path | None, folder: Path) -> Path | None:
    """The weight file that an experiment starts from; None where there is none.

    It is ``given``, if that is a file; else the file of the experiment's name in the folder ``given``, in ``init/`` of
    the work folder, or in pydeeplab's folder of weights.
    """
    if given is not None and given.is_file():
        return given
    for place in (given, folder / "init"):
        if place is not None and (place / init.weights).is_file():
            return place / init.weights
    try:
        return find_weights(init.weights)
    except UsageError:
        return None


def write_copies(source: Path, target: Path, copies: Mapping[str, tuple[str, ...]]) -> None:
    """Write a weight file in which layers have the parameters of others, beside all that were there.

    Parameters
    ----------
    copies
        The layers that get a layer's parameters, by its name.

    Raises
    ------
    WeightsError
        The file cannot be read, or lacks a layer. One that has all of the copies already is written as it is.
    """
    file = read_weights(source)
    layers = {layer.name: layer for layer in file.with_blobs()}
    for name, targets in copies.items():
        if name not in layers:
            if all(target in layers for target in targets):
                continue
            raise WeightsError(f"{source}: has no layer '{name}', whose parameters {', '.join(targets)} should get")
        original = layers[name]
        for copy in targets:
            layers.setdefault(copy, LayerWeights(copy, original.type, original.blobs))
    make_folder(target.parent)
    save_weights(target, replace(file, layers=list(layers.values())))
