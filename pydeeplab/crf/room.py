"""Whether a picture's CRF fits into memory, said before any is taken."""

from __future__ import annotations

from pydeeplab.backend.room import LARGE, available_bytes
from pydeeplab.crf.parameters import CRFParameters

__all__ = ["check_crf_room", "crf_bytes"]

_GIB = 2.0**30


def crf_bytes(height: int, width: int, classes: int, params: CRFParameters) -> int:
    """Bytes that refining one picture takes at least, its scores and the result among them.

    Everything that belongs to pixels: scores, probabilities, and for each kernel where the pixels lie in its lattice.
    The lattices' vertices come on top; their number depends on the picture (few in smooth ones, and with large
    deviations).
    """
    pixels, lanes = height * width, 4 if classes <= 4 else -(-classes // 8) * 8
    corners = [3] * len(params.pos_w) + [6] * len(params.bi_w)
    own = 2 * 4 * lanes + 2 * 4 * classes
    features = 4 * max((count - 1 for count in corners), default=0) + 3 * 4
    lattices = sum(count * (4 + 4) * 3 for count in corners)
    return pixels * (own + features + lattices)


def check_crf_room(height: int, width: int, classes: int, params: CRFParameters) -> int:
    """`crf_bytes`, if so many are free.

    Raises
    ------
    MemoryError
        They are not; the message says how many are needed.
    """
    needed, free = crf_bytes(height, width, classes, params), available_bytes()
    if needed > LARGE and free is not None and needed > free:
        raise MemoryError(
            f"the CRF sees the whole picture at once: {height} x {width} pixels of {classes} classes take "
            f"{needed / _GIB:.1f} GiB, {free / _GIB:.1f} GiB are free. Reduce the picture, or leave out the CRF."
        )
    return needed
