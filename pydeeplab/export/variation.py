"""Which axes of a net's blobs change when its inputs change: found by trying another size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydeeplab.blob import Blob
from pydeeplab.errors import PydeeplabError, UnsupportedError
from pydeeplab.net import Net

__all__ = ["Variation", "find_variation"]

BATCH, HEIGHT, WIDTH = 2, 32, 64
"""What is added to try; a multiple of 32, so that nets of several scales, which need 32 k + 1 pixels, stay in step."""


@dataclass(frozen=True)
class Variation:
    """Shapes of all blobs at two sizes of the inputs, in the order of `_all_blobs`; equal where nothing may vary."""

    blobs: tuple[Blob, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]

    def shapes(self, blob: Blob) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape now, and at the other size."""
        index = next(i for i, known in enumerate(self.blobs) if known is blob)
        return self.before[index], self.after[index]


def _all_blobs(net: Net) -> tuple[Blob, ...]:
    found: dict[int, Blob] = {}
    for node in net.nodes:
        found.update((id(blob), blob) for blob in node.tops)
    return tuple(found.values())


def _input_blobs(net: Net) -> list[Blob]:
    return [top for node in net.nodes if node.layer.type == "Input" for top in node.tops]


def _varied(shape: Sequence[int], spatial: bool) -> list[int]:
    other = list(shape)
    if other:
        other[0] += BATCH
    if spatial and len(other) == 4:
        other[2] += HEIGHT
        other[3] += WIDTH
    return other


def _try(net: Net, blobs: Sequence[Blob], spatial: bool) -> tuple[tuple[int, ...], ...]:
    inputs = _input_blobs(net)
    shapes = [blob.shape for blob in inputs]
    try:
        for blob, shape in zip(inputs, shapes, strict=True):
            blob.reshape(*_varied(shape, spatial))
        net.reshape()
        return tuple(blob.shape for blob in blobs)
    finally:
        for blob, shape in zip(inputs, shapes, strict=True):
            blob.reshape(*shape)
        net.reshape()


def find_variation(net: Net, dynamic: bool) -> Variation:
    """Find the axes that vary: batch, height and width, or the batch alone where the net works at one size only.

    Parameters
    ----------
    net : Net
        Reshaped and put back.
    dynamic : bool
        If false, nothing varies.

    Raises
    ------
    UnsupportedError
        Not even the batch may vary.
    """
    blobs = _all_blobs(net)
    before = tuple(blob.shape for blob in blobs)
    if not dynamic:
        return Variation(blobs, before, before)
    reason: PydeeplabError | None = None
    for spatial in (True, False):
        try:
            return Variation(blobs, before, _try(net, blobs, spatial))
        except PydeeplabError as error:
            reason = reason or error
    raise UnsupportedError(f"the net works at one input size only, so leave --dynamic out ({reason})")
