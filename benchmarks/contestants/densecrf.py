"""pydensecrf: the CRF of Kraehenbuehl's C++ code, which DeepLab's authors used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks import Task
from pydeeplab import CRFParameters


class PyDenseCrf:
    """Ten iterations of a positional and a bilateral kernel."""

    def __init__(self, task: Task, folder: Path, check: bool):
        import pydensecrf.densecrf as library

        self._library = library
        self._image, scores = np.load(folder / "image.npy"), np.load(folder / "scores.npy")
        self._shape = scores.shape
        self._energies = np.ascontiguousarray(-scores.reshape(len(scores), -1))
        self._params = CRFParameters.parse(task.net)
        self._q = np.empty(0)

    def run(self) -> None:
        """Lattices, and the mean field."""
        d, params = self._library, self._params
        crf = d.DenseCRF2D(self._shape[2], self._shape[1], self._shape[0])
        crf.setUnaryEnergy(self._energies)
        options = {"kernel": d.DIAG_KERNEL, "normalization": d.NORMALIZE_AFTER}
        for weight, xy in zip(params.pos_w, params.pos_xy_std, strict=True):
            crf.addPairwiseGaussian(sxy=xy, compat=weight, **options)
        for weight, xy, rgb in zip(params.bi_w, params.bi_xy_std, params.bi_rgb_std, strict=True):
            crf.addPairwiseBilateral(sxy=xy, srgb=rgb, rgbim=self._image, compat=weight, **options)
        self._q = np.array(crf.inference(params.iterations), np.float32).reshape(self._shape)

    def results(self) -> dict[str, Any]:
        """The beliefs."""
        return {"q": self._q}
