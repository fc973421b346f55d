"""What segmenting a picture needs beforehand: surroundings around each pixel, and memory for the CRF."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pydeeplab.analysis import receptive_fields
from pydeeplab.backend.room import LARGE, available_bytes

if TYPE_CHECKING:
    from pydeeplab.analysis.axis import Axis
    from pydeeplab.crf import CRFParameters
    from pydeeplab.net import Net

__all__ = ["check_crf_room", "context_radius", "crf_bytes"]

_GIB = 2.0**30


def _reach(axis: Axis) -> int:
    """The largest distance from an element's place to the pixels that it depends on, or is enlarged from."""
    step, count = axis.step, math.lcm(len(axis.first.table), len(axis.last.table))
    before = max(math.ceil(i * step) - axis.first[i] for i in range(count))
    after = max(axis.last[i] - math.floor(i * step) for i in range(count))
    between = math.ceil(step) - 1
    return max(before, after) + between


def context_radius(net: Net, output: str, scales: Sequence[Fraction] = (Fraction(1),)) -> int | None:
    """How far from a pixel, in rows and columns, the pixels lie on which its score depends; None if there is no end.

    Parameters
    ----------
    net : Net
        With an input of some size that suits it.
    output : str
        The blob with the scores; if it is coarser than the input, its enlarging counts too.
    scales : sequence of Fraction
        The scales at which the picture is shown to the net.
    """
    fields = receptive_fields(net)
    seen = [field for field, node in zip(fields, net.nodes, strict=True) if output in node.top_names][-1]
    if seen is None:
        return None
    radius = max(_reach(axis) for axis in (seen.height, seen.width))
    return max(radius if scale == 1 else math.ceil((radius + 2) / scale) + 1 for scale in scales)


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
            f"{needed / _GIB:.1f} GiB, {free / _GIB:.1f} GiB are free. Leave out the CRF, or reduce the picture."
        )
    return needed
