"""How a picture is given to a net: at once, or in tiles that suit the net."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import ShapeError, UsageError
from pydeeplab.segmentation.alignment import Alignment
from pydeeplab.segmentation.context import context_radius
from pydeeplab.segmentation.runner import Runner
from pydeeplab.segmentation.tiles import Span, Strip, check_merge, spans, strips

__all__ = ["DEFAULT_TILE", "EXACT", "Tiling"]

DEFAULT_TILE = 1025

EXACT = "exact"
"""The overlap with which tiles change nothing."""


class Tiling:
    """Cuts pictures, runs a net on the parts, and puts the scores together.

    Parameters
    ----------
    runner : Runner
    declared : (int, int)
        The net's own input size, for nets that have only this one.
    alignment : Alignment
        The sizes that suit the net, and its grid.
    tile : int
        Largest height and width to run.
    overlap : int, "exact" or None
        Pixels that tiles have in common; None for a quarter of a tile.
    merge : {"average", "centre"}

    Raises
    ------
    UsageError
        A parameter makes no sense.
    """

    def __init__(
        self,
        runner: Runner,
        declared: tuple[int, int],
        alignment: Alignment,
        *,
        tile: int = DEFAULT_TILE,
        overlap: int | str | None = None,
        merge: str = "average",
    ):
        if tile < 1:
            raise UsageError(f"tile must be at least 1, got {tile}")
        if isinstance(overlap, str) and overlap != EXACT:
            raise UsageError(f"overlap is a number of pixels or '{EXACT}', got '{overlap}'")
        if isinstance(overlap, int) and not 0 <= overlap < tile:
            raise UsageError(f"tiles of {tile} pixels cannot overlap by {overlap}; give 0 to {tile - 1}")
        self._runner, self._declared = runner, declared
        self._alignment: Alignment | None = alignment
        self._tile, self._overlap, self._merge = alignment.fit_below(tile), overlap, check_merge(merge)

    @property
    def context(self) -> int | None:
        """See `context_radius`."""
        return context_radius(self._runner.net, self._runner.output, self._runner.views.scales)

    def strips(self, pixels: NDArray[np.uint8], note: Callable[[str], None]) -> Iterator[Strip]:
        """The scores of a picture (H, W, channels) from top to bottom; ``note`` is told what was done to it."""
        height, width = pixels.shape[:2]
        size = self._size(height, width)
        rows, columns = (self._spans(side, tile) for side, tile in zip((height, width), size, strict=True))

        def scores(row: Span, column: Span) -> NDArray[np.float32]:
            piece = np.ascontiguousarray(pixels[row.start : row.stop, column.start : column.stop])
            return self._runner(piece, *size)

        if len(rows) * len(columns) == 1:
            yield Strip(0, scores(rows[0], columns[0]))
            return
        note(f"cut into {len(rows)} x {len(columns)} tiles of {size[0]} x {size[1]}")
        yield from strips(rows, columns, self._merge, scores)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """The input size to use for a picture: a suitable one that holds it, or that of the tiles."""
        if self._alignment is not None:
            size = tuple(min(self._alignment.fit(side), self._tile) for side in (height, width))
            if self._runner.fits(*size):
                return size[0], size[1]
            if self._runner.views.scales != (1,):
                raise UsageError("the net's input cannot change its size: leave out scales")
            self._alignment = None
        if not self._runner.fits(*self._declared):
            raise ShapeError(f"the net does not run at its own input size {self._declared[0]} x {self._declared[1]}")
        return self._declared

    def _spans(self, size: int, tile: int) -> list[Span]:
        """The tiles along one axis."""
        step = 1 if self._alignment is None else self._alignment.stride
        if size <= tile:
            return spans(size, tile, 0)
        if self._overlap == EXACT:
            return spans(size, tile, self._exact_overlap(tile, step), step)
        wanted = tile // 4 if self._overlap is None else int(self._overlap)
        return spans(size, tile, min(wanted, max(tile - step, 0)), step)

    def _exact_overlap(self, tile: int, step: int) -> int:
        """The overlap with which every pixel's score comes from a tile that holds all it depends on."""
        context = self.context
        if context is None:
            raise UsageError("this net's scores depend on the whole picture: tiles cannot be exact; give a larger tile")
        if 2 * context > tile - step:
            least = self._alignment.fit(2 * context + step) if self._alignment else 2 * context + step
            raise UsageError(
                f"scores depend on {context} pixels around: exact tiles must be at least {least} x {least}, "
                f"these are {tile}; give a larger tile, or an overlap in pixels"
            )
        return 2 * context
