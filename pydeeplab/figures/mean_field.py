"""Score and belief maps after each mean-field iteration of the CRF (the paper's figure 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import UsageError
from pydeeplab.figures.colours import heat, scale_bar
from pydeeplab.figures.figure import GAP, Figure, beside, photo, stacked, titled
from pydeeplab.plotting.layout import Picture

__all__ = ["mean_field_figure"]

Maps = Sequence[NDArray[np.float32]]


def _shown(iterations: Sequence[int], count: int) -> list[int]:
    """The iterations to show of those there are, always with what the net gives."""
    wrong = [i for i in iterations if not 0 <= i < count]
    if wrong:
        raise UsageError(f"there is no iteration {wrong[0]}: the CRF does {count - 1}")
    return sorted({0, *iterations})


def mean_field_figure(
    image: NDArray[np.uint8],
    scores: Maps,
    beliefs: Maps,
    *,
    name: str,
    class_name: str,
    truth: NDArray[np.uint8] | None = None,
    iterations: Sequence[int] = (1, 2, 5, 10),
    parameters: str = "",
    width: int = 180,
) -> Figure:
    """Maps of one class: the score above, the belief below, from the net's output to the last iteration.

    Parameters
    ----------
    image : (H, W, 3) uint8
    scores, beliefs : sequences of (H, W) float32
        Before the first iteration and after each, as `NetPredictor.iterations` gives them.
    name, class_name : str
    truth : (H, W, 3) uint8, optional
        The true labels in colours.
    iterations : sequence of int
        Which to show beside the net's output; those that the CRF did not do are left out.
    parameters : str
        Those of the CRF, for the caption.
    width : int
        Of each map.
    """
    shown = _shown([i for i in iterations if i < len(scores)], len(scores))
    low, high = (float(np.percentile(scores[0], p)) for p in (0.5, 99.5))
    low, high = min(low, -1.0), max(high, 1.0)
    columns: list[Picture] = [
        _stack(photo(image, width), "image", None if truth is None else photo(truth, width, lossy=False))
    ]
    for iteration in shown:
        title = f"iteration {iteration}" if iteration else "net"
        above = photo(heat(scores[iteration], low, high), width)
        columns.append(_stack(above, title, photo(heat(beliefs[iteration], 0, 1), width)))
    height = round(columns[-1].frame[3] - columns[-1].frame[1])
    bars = titled(scale_bar(low, high, height), "score"), titled(scale_bar(0, 1, height), "belief")
    columns.append(stacked(bars, GAP))
    caption = (
        f"'{name}', class {class_name}. Above its score, the logarithm of its probability less the mean over the "
        "classes (values beyond the ends of the scale are shown as these); below its belief, the probability: as the "
        f"net gives them, and after mean-field iterations. CRF: {parameters or 'as given'}."
    )
    return Figure("mean-field", "Score and belief maps of mean-field iterations", caption, beside(columns, GAP))


def _stack(above: Picture, title: str, below: Picture | None) -> Picture:
    """Two maps of one size, one under the other, the upper with a title; ``frame`` is that of the upper one."""
    upper = titled(above, title)
    parts = upper if below is None else stacked([upper, titled(below, " ")], GAP)
    return Picture(parts.width, parts.height, upper.frame, parts.parts)
