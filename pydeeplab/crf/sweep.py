"""One picture refined with many bilateral kernels, without doing twice what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.crf.inference import DenseCRF

__all__ = ["Sweep"]


class Sweep(DenseCRF):
    """A dense CRF whose bilateral kernel varies.

    The lattice of the positional kernels is built once for a picture, that of a bilateral kernel once for all of its
    weights. Results are those of `DenseCRF`, bit for bit.

    Parameters
    ----------
    params, backend
        As for `DenseCRF`; what they say of the bilateral kernel does not matter.

    Examples
    --------
    >>> sweep = Sweep("iter=2")
    >>> results = sweep.labels([((30.0, 3.0), (4.0, 5.0))], np.zeros((4, 6, 3), np.uint8), np.zeros((2, 4, 6)))
    >>> [(w, xy, rgb, labels.shape) for w, xy, rgb, labels in results]
    [(4.0, 30.0, 3.0, (4, 6)), (5.0, 30.0, 3.0, (4, 6))]
    """

    def check(
        self, image: ArrayLike, scores: ArrayLike | None = None, *, probabilities: ArrayLike | None = None
    ) -> None:
        """Raise what `labels` would raise for these arrays: see `DenseCRF.refine`."""
        self._inputs(image, scores, probabilities, True)

    def labels(
        self,
        kernels: Iterable[tuple[tuple[float, float], Sequence[float]]],
        image: ArrayLike,
        scores: ArrayLike | None = None,
        *,
        probabilities: ArrayLike | None = None,
    ) -> Iterator[tuple[float, float, float, NDArray[np.intp]]]:
        """Labels for each bilateral kernel and weight.

        Parameters
        ----------
        kernels
            For each kernel its deviations in pixels and in grey levels, and its weights.
        image, scores, probabilities
            As for `DenseCRF.refine`; maps larger than the image are cut to its top left part.

        Yields
        ------
        weight, xy_std, rgb_std : float
        labels : (H, W) array of integers
            The class of the largest probability.
        """
        planes, maps = self._inputs(image, scores, probabilities, True)
        field = self._field(maps)
        result: NDArray[Any] = np.empty(maps.shape, self._dtype)
        varying = len(self.params.pos_w)
        for (xy_std, rgb_std), weights in kernels:
            field.remove_terms(varying)
            self.params = replace(self.params, bi_w=(1.0,), bi_xy_std=(xy_std,), bi_rgb_std=(rgb_std,))
            self._add_bilateral(field, planes)
            for weight in weights:
                field.set_weight(varying, weight)
                field.start(maps)
                for _ in range(self.params.iterations):
                    field.step()
                field.read(result)
                yield weight, xy_std, rgb_std, result.argmax(axis=0)
