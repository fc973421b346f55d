"""How much of a picture around each pixel its score depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pydeeplab.analysis import receptive_fields

if TYPE_CHECKING:
    from pydeeplab.analysis.axis import Axis
    from pydeeplab.net import Net

__all__ = ["context_radius"]


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
